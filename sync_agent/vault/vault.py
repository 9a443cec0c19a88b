"""A vault: encrypted, versioned content on storage nobody has to trust.

    vault, recovery = Vault.create(remote, passphrase)
    with vault.writer() as writer:
        chunk = writer.save("data", b"...")
        writer.commit({"root": writer.save("tree", listing).hex()})
    vault = Vault.open(remote, passphrase)
    vault.snapshots[-1].body

docs/vault-format.md is the format and says what is protected.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, NoReturn

from loanhub import (
    Busy,
    Damaged,
    Keyring,
    LoanHubError,
    NotAllowed,
    NotFound,
    Place,
    Remote,
    Secret,
    Stale,
    Usage,
)
from sync_agent.slots import kinds_for
from sync_agent.vault import bases
from sync_agent.vault.client import ClientFolder, Pin
from sync_agent.vault.commits import Commit, Draft, KeyringMark, Link, seal_commit
from sync_agent.vault.findings import Finding
from sync_agent.vault.history import Reading, find_head, lost_packs, read_link
from sync_agent.vault.index import Index
from sync_agent.vault.keys import KeyringShelf, Start, VaultKeys, make_start, peek_keyring, read_start
from sync_agent.vault.names import START, commit_name
from sync_agent.vault.opening import check_keyring, check_pin
from sync_agent.vault.putting import put_settled
from sync_agent.vault.reading import BlobReader
from sync_agent.vault.state import State
from sync_agent.vault.writer import Proposal, Writer

Unlock = Callable[[], Secret] | Secret | str
_TRIES: Final = 100


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Vault:
    """An open vault. Made by `create` and `open`; several programs may have it open and write at once."""

    def __init__(
        self, remote: Remote, keys: VaultKeys, shelf: KeyringShelf, client: ClientFolder,
        now: Callable[[], datetime],
    ) -> None:  # fmt: skip
        self.remote = remote
        self.keys = keys
        self.state: State
        self.findings: tuple[Finding, ...] = ()
        """Objects that were not as they should be when the vault was opened."""
        self.new_devices: frozenset[str] = frozenset()
        """Devices that have written since this machine looked last."""
        self._shelf = shelf
        self._client = client
        self._device = client.device(keys)
        self._now = now
        self._turn = threading.RLock()
        self._reader: BlobReader
        self._strays: Index | None = None

    # Opening --------------------------------------------------------------------------------------------

    @classmethod
    def create(
        cls, remote: Remote, secret: Secret | bytes | str | Keyring, *, kind: str = "passphrase",
        label: str = "", parameters: Mapping[str, int | str] | None = None, suite: int = 1,
        cache: Path | None = None, now: Callable[[], datetime] = _utc_now,
    ) -> tuple[Vault, Secret | None]:  # fmt: skip
        """A new vault with a keyring of its own and the recovery key to print; or one for a home's keyring.

        `suite` is 1 (AES-256-GCM), 2 (ChaCha20-Poly1305) or 3 (国密); a home's keyring brings its own. Raises
        Usage `vault-exists`, Misconfigured `suite-unknown` or `suite-missing`, and what the remote raises.
        """
        recovery: Secret | None = None
        if isinstance(secret, Keyring):
            keyring = secret
        else:
            keyring, recovery = Keyring.create(
                Place(lambda: None, _nothing), secret, kind=kind, label=label,
                parameters=parameters or {}, suite=suite, now=now,
            )  # fmt: skip
        newest = keyring.epochs[-1]
        content = make_start(os.urandom(16).hex(), newest.number, newest.suite, keyring.document.to_bytes())
        if not put_settled(remote, START, content):
            raise Usage("vault-exists")
        unlock = keyring if recovery is None else recovery
        return cls.open(remote, unlock, cache=cache, now=now), recovery

    @classmethod
    def open(
        cls, remote: Remote, unlock: Unlock | Keyring, *, kind: str | None = None, cache: Path | None = None,
        vault_id: str | None = None, salvage: bool = False, now: Callable[[], datetime] = _utc_now,
    ) -> Vault:  # fmt: skip
        """The vault at `remote`, opened with a secret of one of its slots, or with its home's open keyring.

        `kind` says how the secret is meant. `cache` is a folder in which this machine remembers the head it
        saw. `vault_id`: the vault that is expected there. `salvage` opens for reading whatever still opens.
        Raises NotFound `vault-missing`; what `Keyring.open` raises; the alarms `vault-rolled-back`,
        `vault-forked`, `vault-keys-rolled-back`, `vault-another` (all Damaged); NotAllowed
        `vault-other-keyring` and Stale `vault-keyring-behind` for a home's keyring; Misconfigured
        `vault-newer` and `vault-newer-version`.
        """
        start = _start_of(remote)
        if vault_id is not None and start.vault != vault_id:
            raise Damaged("vault-another", expected=vault_id, found=start.vault)
        client = ClientFolder(cache, start.vault)
        shelf = KeyringShelf(remote, start, pinned=client.pin() is not None)
        keys = VaultKeys(_keyring(shelf, unlock, kind), start)
        vault = cls(remote, keys, shelf, client, now)
        vault._read(salvage)
        return vault

    def _read(self, salvage: bool) -> None:
        pin = self._client.pin()
        pinned = pin.sequence if pin is not None else 0
        there = pinned > 0 and self.remote.size(commit_name(pinned)) is not None
        head = find_head(self.remote, pinned if there else 0)
        reading = Reading(self.remote, self.keys, head, lenient=salvage)
        self._take_state(reading.state())
        try:
            check_keyring(self.remote, self.keys, self._mark(), reading, pin)
            check_pin(reading, self.state, pin)
        except Damaged:
            if not salvage:
                raise
        self.findings = tuple(sorted(set(reading.findings)))
        if pin is not None:
            self.new_devices = frozenset(self.state.devices - set(pin.devices))
        if not salvage:
            self._remember()

    def _take_state(self, state: State) -> None:
        self.state = state
        self._reader = BlobReader(self.remote, self.keys, state.index)
        self._strays = None

    # Facts ----------------------------------------------------------------------------------------------

    @property
    def id(self) -> str:
        """The vault id, 32 hex digits; not secret."""
        return self.keys.start.vault

    @property
    def keyring(self) -> Keyring:
        """The open keyring; changed through `rekey` and `add_epoch`."""
        return self.keys.keyring

    @property
    def keyring_sequence(self) -> int:
        """The number of the newest keyring object; 0: the one in the first object."""
        return self._shelf.sequence

    @property
    def chunk_seed(self) -> int:
        """The secret number of 64 bits with which files of this vault are cut."""
        return self.keys.chunk_seed

    @property
    def head(self) -> tuple[int, str]:
        """Number and hash (hex) of the newest commit known here; (0, hash of the start) before any."""
        return self.state.sequence, self.state.hash

    @property
    def snapshots(self) -> tuple[Commit, ...]:
        """The live snapshots, oldest first, in the order of their commits."""
        return tuple(self.state.snapshots[sequence] for sequence in sorted(self.state.snapshots))

    def commits(self, *, newest_first: bool = False) -> Iterator[Commit]:
        """Every commit that is kept and opens."""
        numbers = range(self.state.floor, self.state.sequence + 1)
        for sequence in reversed(numbers) if newest_first else numbers:
            found = read_link(self.remote, self.keys, sequence).commit
            if found is not None:
                yield found

    # Reading --------------------------------------------------------------------------------------------

    def load(self, kind: str, blob_id: bytes) -> bytes:
        """As `Blobs.load`; looks again when another program has moved the blob meanwhile."""
        try:
            return self._reader.load(kind, blob_id)
        except (Damaged, NotFound) as problem:
            before = self.state.sequence
            with contextlib.suppress(Stale):  # it was taken in all the same
                self.catch_up()
            if self.state.sequence == before:
                if isinstance(problem, Damaged) and (found := self._load_stray(kind, blob_id)) is not None:
                    return found
                raise
        return self._reader.load(kind, blob_id)

    def _load_stray(self, kind: str, blob_id: bytes) -> bytes | None:
        """The blob out of packs no commit known here brought; a copy broken off has such packs."""
        with self._turn:
            if self._strays is None:
                self._strays = Index()
                for record in lost_packs(self.remote, self.keys, self.state):
                    self._strays.add(record)
        with contextlib.suppress(Damaged, NotFound):
            return BlobReader(self.remote, self.keys, self._strays).load(kind, blob_id)
        return None

    def load_many(self, kind: str, blob_ids: Iterable[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """As `Blobs.load_many`."""
        return self._reader.load_many(kind, blob_ids, self.load)

    def known(self, kind: str, blob_id: bytes) -> bool:  # noqa: ARG002  # the id says the kind too
        """Whether the blob is stored, counts, and is not about to be deleted."""
        return self.state.index.usable(blob_id)

    # Writing --------------------------------------------------------------------------------------------

    def writer(self) -> Writer:
        """A session that saves blobs and commits."""
        return Writer(self)

    def commit(self, type: str, body: Mapping[str, Any]) -> Commit:
        """A commit without blobs, such as "evidence"."""
        return self.put(lambda _: Proposal(type, body))

    def forget(self, snapshots: Iterable[int]) -> Commit:
        """Takes snapshots, by their commit numbers, out of the list. Raises NotFound `vault-no-snapshot`."""
        chosen = sorted(set(snapshots))
        for sequence in chosen:
            if sequence not in self.state.snapshots:
                raise NotFound("vault-no-snapshot", sequence=sequence)
        return self.commit("forget", {"snapshots": chosen})

    def rekey(self, change: Callable[[Keyring], object]) -> None:
        """Changes slots, such as `lambda keyring: keyring.rewrap(slot, secret)`; the head names the result.

        So no machine takes an older keyring for the present one. Raises what `change` raises; Stale
        `keyring-changed` when another machine changed it since this one looked.
        """
        self.keyring.reload()
        change(self.keyring)
        self.commit("packs", {})

    def add_epoch(self, *, suite: int | None = None) -> int:
        """A new key epoch, in which everything is sealed from now on; its number."""
        epoch = self.keyring.add_epoch(suite=suite)
        self.commit("key-epoch", {"epoch": epoch})
        return epoch

    def put(self, propose: Callable[[State], Proposal]) -> Commit:
        """Writes the next commit; `propose` is asked again whenever somebody else's came first.

        Raises Busy `vault-contended`, Damaged `vault-rolled-back`, and what `propose` and the remote raise.
        """
        with self._turn:
            for _ in range(_TRIES):
                self.catch_up()
                proposal = propose(self.state)
                self._publish_keyring()
                self._write_base(whole=proposal.whole_base)
                found = self._put(proposal)
                if found is not None:
                    self._remember()
                    return found
        raise Busy("vault-contended")

    def _put(self, proposal: Proposal) -> Commit | None:
        state = self.state
        if any(map(state.came_too_late, proposal.records)):
            raise Stale("vault-pruned-meanwhile")
        new = [one for one in proposal.records if state.index.pack(one.object_id) is None]
        draft = Draft(
            proposal.type, proposal.body, [record.to_bytes() for record in new],
            state.packs_after(proposal.type, proposal.body, len(new)), state.unannounced,
        )  # fmt: skip
        dead = tuple(sorted(proposal.dead.union(state.dead)))
        link = Link(state.sequence + 1, state.hash, dead, self._mark(), self._device, self._now())
        commit, stored = seal_commit(self.keys, draft, link)
        if not put_settled(self.remote, commit_name(commit.sequence), stored):
            return None
        if not self._counts(commit):
            self._withdraw(commit)
        state.apply(commit, new)
        return commit

    def _counts(self, commit: Commit) -> bool:
        """Whether the commit just put follows the chain: a number cut off as history can be put once more.

        History goes from the oldest on, so where the number before is still there, nothing was cut.
        """
        before = commit.sequence - 1
        if before and self.remote.size(commit_name(before)) is not None:
            return True
        head = find_head(self.remote, 0)
        if head == commit.sequence == 1:
            return True
        state = Reading(self.remote, self.keys, head).state()
        return state.floor == commit.sequence or state.snapshots.get(commit.sequence) == commit

    def _withdraw(self, commit: Commit) -> NoReturn:
        """A commit among history that nobody needs; it never counted."""
        try:
            self._overtaken(commit.sequence - 1)
        except Stale:
            if self.state.floor > commit.sequence:
                with contextlib.suppress(LoanHubError):
                    self.remote.delete(commit_name(commit.sequence))
            raise

    def _write_base(self, *, whole: bool) -> None:
        if whole:
            bases.write_base(self.remote, self.keys, self.state, whole=True)
        elif self.state.whole and bases.is_due(self.state):
            # one that does not open is named by verify; the vault goes on without a new one
            with contextlib.suppress(Damaged, NotFound):
                bases.write_base(self.remote, self.keys, self.state)

    def catch_up(self) -> None:
        """Takes in what others committed meanwhile.

        Raises Damaged `vault-rolled-back`, `vault-forked`; Stale `vault-pruned-meanwhile` when so much
        happened that the commit known here is history nobody needs: then the state is taken in all the same.
        """
        with self._turn:
            known = self.state.sequence
            head = find_head(self.remote, known)
            if head and self.remote.size(commit_name(known or 1)) is None:
                self._overtaken(known)
            reading = Reading(self.remote, self.keys, head)
            for sequence in range(known + 1, head + 1):
                link = reading.link(sequence)
                if link.hash is None:
                    raise Busy("vault-commit-unreadable", sequence=sequence)
                reading.take(self.state, link)
            if head > known:
                self._remember()

    def _overtaken(self, known: int) -> NoReturn:
        """The commit we stand at is gone: cut off as history, or taken away."""
        state = Reading(self.remote, self.keys, find_head(self.remote, 0)).state()
        if state.floor <= known:
            raise Damaged("vault-rolled-back", head=state.sequence, pinned=known)
        self._take_state(state)
        self._remember()
        raise Stale("vault-pruned-meanwhile")

    # Inside ---------------------------------------------------------------------------------------------

    def _mark(self) -> KeyringMark:
        return KeyringMark(self._shelf.sequence, self.keys.chain_hash(self._shelf.stored).hex())

    def _publish_keyring(self) -> None:
        """A home's keyring may have changed: the vault has it before anything sealed with its keys counts."""
        if self.keyring.document.revision > peek_keyring(self._shelf.read()):
            self._shelf.write(self.keyring.document.to_bytes())

    def _remember(self) -> None:
        mark = self._mark()
        devices = tuple(sorted(self.state.devices))
        self._client.remember(
            Pin(self.id, self.state.sequence, self.state.hash, mark.sequence, mark.hash, devices)
        )


def _nothing(content: bytes) -> None:  # noqa: ARG001  # a new keyring goes into the first object instead
    return None


def _start_of(remote: Remote) -> Start:
    try:
        return read_start(remote.get(START))
    except NotFound:
        raise NotFound("vault-missing") from None


def _keyring(shelf: KeyringShelf, unlock: Unlock | Keyring, kind: str | None) -> Keyring:
    if isinstance(unlock, Keyring):
        if unlock.home != Keyring.peek(shelf.place).home:
            raise NotAllowed("vault-other-keyring")
        if unlock.document.revision < Keyring.peek(shelf.place).revision:
            raise Stale("vault-keyring-behind")
        return unlock
    secret = unlock if isinstance(unlock, Secret | str) else unlock()
    return Keyring.open(shelf.place, secret, kind=kind, kinds=kinds_for(shelf.place))
