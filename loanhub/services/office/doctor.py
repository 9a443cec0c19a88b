"""Looks a home over: what is broken, what will be, and what somebody should do about it.

Every finding is a message code with facts; its hint says what to do. Nothing is repaired here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from attrs import field, frozen

from loanhub import audit, pieces
from loanhub.books import DeskBooks
from loanhub.errors import LoanHubError
from loanhub.keys import DamagedSlot
from loanhub.kinds import Fault
from loanhub.plugins import Failure
from loanhub.records import Order, Query, Test
from loanhub.schema import SEARCH_KEY
from loanhub.searching import INDEXED, keys
from loanhub.services.office import surroundings
from loanhub.settings import config
from loanhub.settings import read as read_settings

if TYPE_CHECKING:
    from loanhub.institution import Institution

OWN_FILES: Final = ("words.toml", "choices.toml", "rating.toml", "reminders.toml")
SAMPLE: Final = 200
"""Records of a kind whose search keys are looked at: the newest, and as many spread over all."""
PIECES_OF: Final = 5
"""Every how manieth of them has the pieces of its name and addresses looked at too."""
UNFINISHED: Final = ("claimed", "landing", "needs-mapping")


@frozen
class Finding:
    """Something found. `severity`: error (broken), warning (do something), note (know it)."""

    code: str
    severity: str
    facts: Mapping[str, Any] = field(factory=dict)


Check = Callable[["Institution"], Iterator[Finding]]


def examine(house: Institution, checks: Sequence[Check] | None = None) -> list[Finding]:
    """All that is to be said about an open home, errors first; empty when all is well.

    `checks`: some of them only.
    """
    found: list[Finding] = []
    for check in CHECKS if checks is None else checks:
        try:
            found += check(house)
        except LoanHubError as error:
            found.append(Finding(error.code, "error", error.facts))
        except OSError as error:
            facts = {"check": check.__name__, "error": type(error).__name__}
            found.append(Finding("doctor-check-failed", "error", facts))
    return sorted(found, key=lambda one: ("error", "warning", "note").index(one.severity))


# -- what is stored --------------------------------------------------------------------------------


def store_whole(house: Institution) -> Iterator[Finding]:
    """The store's own integrity check."""
    for problem in house.store.problems():
        yield Finding("doctor-store", "error", {"what": problem})


def audit_whole(house: Institution) -> Iterator[Finding]:
    """Every line of the audit log follows from the one before. Raises Damaged("audit-broken")."""
    with house.store.reading() as tx:
        audit.check(tx.lines())
    return iter(())


def batches_finished(house: Institution) -> Iterator[Finding]:
    """Batches that a kill or a question left half done."""
    with house.store.reading() as tx:
        for batch in tx.find(Query("batch", (Test("status", "in", list(UNFINISHED)),))):
            code = "doctor-batch-asks" if batch["status"] == "needs-mapping" else "doctor-batch-unfinished"
            yield Finding(code, "warning", {"id": batch["id"], "status": batch["status"]})


def search_keys_complete(house: Institution) -> Iterator[Finding]:
    """The newest records and a sample of all others have their search keys."""
    for kind in INDEXED:
        with house.store.reading() as tx:
            newest = tx.columns(Query(kind, order=Order("id", down=True), limit=SAMPLE))
            if newest.is_empty():
                continue
            last = int(newest["id"][0])
            spread = sorted({1 + last * n // SAMPLE for n in range(SAMPLE)} - set(newest["id"]))
            sample = newest.vstack(tx.columns(Query(kind, (Test("id", "in", spread),))))
            wanted = keys(kind, sample)
            tokens = Test("token", "in", wanted["token"].unique().to_list())
            there = tx.columns(Query(SEARCH_KEY, (tokens,))).select("token", "id")
            lacking = set(wanted.join(there, on=["token", "id"], how="anti")["id"])
            if kind == pieces.KIND:
                lacking |= pieces.lacking(tx.columns, sample.gather_every(PIECES_OF))
        lacking -= _landing(house, kind)
        if lacking:
            yield Finding("doctor-search-keys", "warning", {"kind": kind, "count": len(lacking)})


def _landing(house: Institution, kind: str) -> set[int]:
    """Records whose keys are built when their batch is done."""
    with house.store.reading() as tx:
        return DeskBooks.over(house, tx, house.system_desk("doctor").who).landing(kind)


# -- settings, plugins, keys -----------------------------------------------------------------------


def settings_readable(house: Institution) -> Iterator[Finding]:
    """All settings files of the home can be read. Raises Misconfigured naming the file."""
    read_settings(house.home)
    for name in OWN_FILES:
        if (house.home / name).exists():
            config(house.home, name)
    return iter(())


def plugins_well(house: Institution) -> Iterator[Finding]:
    """Plugins that failed to load, or when they were told something."""
    for plugin in house.plugins.found.values():
        if plugin.state == "failed":
            yield Finding("doctor-plugin-failed", "error", {"plugin": plugin.name, "why": plugin.reason})
        elif plugin.state == "disabled":
            yield Finding("doctor-plugin-off", "note", {"plugin": plugin.name})
    for plugin_name, error in sorted({(f.plugin, f.error) for f in house.failures}):
        yield Finding("doctor-plugin-listener", "warning", {"plugin": plugin_name, "error": error})


def invariants_hold(house: Institution) -> Iterator[Finding]:
    """What plugins find wrong in the home."""
    for fault in house.plugins.invariants(house.home.root):
        if isinstance(fault, Fault):
            yield Finding(fault.code, "error", fault.facts)
        elif isinstance(fault, Failure):
            facts = {"plugin": fault.plugin, "error": fault.error}
            yield Finding("doctor-invariant-failed", "error", facts)


def keys_safe(house: Institution) -> Iterator[Finding]:
    """The recovery key is proven and put away, slots are whole, the database belongs to this keyring."""
    if house.keyring.recovery_proven is None:
        yield Finding("doctor-recovery-unproven", "warning")
    root = house.home.root.resolve()
    printed = root.with_name(f"{root.name}-recovery-key.txt")
    if printed.exists():
        yield Finding("doctor-recovery-file", "warning", {"file": str(printed)})
    for slot in house.keyring.slots:
        if isinstance(slot, DamagedSlot):
            yield Finding("doctor-slot-damaged", "error", {"slot": slot.id})
    check = house.home / "data" / "key-check"
    text = check.read_text(encoding="ascii").strip() if check.exists() else ""
    if not text or house.keyring.owner_of(_bytes(text)) is None:
        yield Finding("doctor-key-check", "error")


def _bytes(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError:
        return b""


def place_fit(house: Institution) -> Iterator[Finding]:
    """Where the home lies, and what lies about in it."""
    for code, severity, facts in surroundings.remarks(house):
        yield Finding(code, severity, facts)


CHECKS: Final[tuple[Check, ...]] = (
    store_whole,
    audit_whole,
    settings_readable,
    plugins_well,
    invariants_hold,
    keys_safe,
    batches_finished,
    search_keys_complete,
    place_fit,
)
