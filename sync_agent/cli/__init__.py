"""The command `loanhub-sync`: backups of any folder, for anybody.

run        one run from its arguments to its exit status
session    what one run was told: vault, language, answers
opening    the passphrase, the remote and the vault it works on
tree told  names to commands, made when used; their help in the reader's language
outcome    what a command came to, as one JSON object or for a reader  (showing: sizes, ages, tables)
commands/  what each one does
"""

from __future__ import annotations


def main() -> int:
    """Run the command line with the arguments of this process; the exit status."""
    import os

    # numpy's library for matrices starts a thread a core, which costs a tenth of a start: we multiply none.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from sync_agent.cli.run import run

    return run()
