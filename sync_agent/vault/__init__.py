"""Encrypted, versioned content on storage nobody has to trust; docs/vault-format.md is the format.

vault              a vault, opened; writer: a session that saves and commits
sealed names       one object; what it is called       (records: what a pack holds, as the index has it)
commits bases      the chain, and its short cuts       (history: both read; state: what they add up to)
index columns      where every blob is                 (reading: blobs found; packing: blobs put away)
keys client        keys and ids; what this machine remembers   (opening: the alarms)
"""

from __future__ import annotations

from sync_agent.vault.commits import Commit
from sync_agent.vault.findings import Finding
from sync_agent.vault.vault import Vault
from sync_agent.vault.writer import Writer

__all__ = ["Commit", "Finding", "Vault", "Writer"]
