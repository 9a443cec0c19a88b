"""The command line: built from the acts table, and the few commands that are not acts.

run        one run from argv to envelope and exit status
session    what one run was told: home, language, answers, streams
outcome    what a command came to, as one JSON object or for a reader
tree       names to commands, without loading more than a name needs
commands/  init, ingest, watch, plugins, doctor, up, demo, and acts that need a job or a file besides
"""

from __future__ import annotations


def main() -> int:
    """Run the command line with the arguments of this process; the exit status."""
    from loanhub.cli.run import run

    return run()
