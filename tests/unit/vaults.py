"""Small vaults for tests: on a remote in memory, with snapshots that list the blobs they need."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from loanhub.kinds import Remote
from sync_agent.vault import Commit, Vault
from sync_agent.vault.writer import Writer

CHEAP: Final = {"memory_kib": 64, "time": 1, "lanes": 1}
PASSPHRASE: Final = "三只纸船过河去"


def new_vault(remote: Remote, *, cache: Path | None = None, suite: int = 1) -> Vault:
    """A vault that opens with `PASSPHRASE`."""
    return Vault.create(remote, PASSPHRASE, parameters=CHEAP, suite=suite, cache=cache)[0]


def reopened(remote: Remote, *, cache: Path | None = None, salvage: bool = False) -> Vault:
    """The vault as another program opens it."""
    return Vault.open(remote, PASSPHRASE, cache=cache, salvage=salvage)


def contents(seed: int, count: int, size: int = 2000) -> list[bytes]:
    """`count` pieces of content that do not compress, the same for a seed."""
    chance = random.Random(seed)
    return [chance.randbytes(size + chance.randrange(size)) for _ in range(count)]


def take(writer: Writer, pieces: Iterable[bytes], note: str = "") -> Commit:
    """A snapshot of these pieces: a listing of their ids under "tree", named by the commit."""
    ids = [writer.save("data", piece) for piece in pieces]
    return writer.commit({"listing": writer.save("tree", b"".join(ids)).hex(), "note": note})


def snapshot(vault: Vault, pieces: Iterable[bytes], note: str = "") -> Commit:
    """A session that saves these pieces and takes a snapshot of them."""
    with vault.writer() as writer:
        return take(writer, pieces, note)


def restored(vault: Vault, commit: Commit) -> list[bytes]:
    """The pieces of a snapshot as the vault gives them back."""
    return [vault.load("data", blob_id) for blob_id in listed(vault, commit)]


def listed(vault: Vault, commit: Commit) -> list[bytes]:
    """The ids a snapshot lists."""
    listing = vault.load("tree", bytes.fromhex(commit.body["listing"]))
    return [listing[at : at + 32] for at in range(0, len(listing), 32)]


def needs_of(vault: Vault) -> Callable[[Commit, Callable[[bytes], bool]], None]:
    """What a prune asks: marks all that a snapshot needs."""

    def needs(commit: Commit, mark: Callable[[bytes], bool]) -> None:
        if mark(bytes.fromhex(commit.body["listing"])):
            for blob_id in listed(vault, commit):
                mark(blob_id)

    return needs


def whole(vault: Vault, expected: Mapping[int, list[bytes]]) -> bool:
    """Whether exactly these snapshots, by commit number, are there and come back as they were."""
    return {one.sequence for one in vault.snapshots} == set(expected) and all(
        restored(vault, one) == expected[one.sequence] for one in vault.snapshots
    )
