"""What may be asked of batches and of remembered mappings."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

from attrs import evolve, frozen

from loanhub.acts import Act, Books, Facts, param
from loanhub.entities import Batch, Layout
from loanhub.errors import NotFound, Usage
from loanhub.files import move
from loanhub.hookspecs import hookimpl
from loanhub.keys import bind, unseal_file
from loanhub.readings.choices import choice_key
from loanhub.records import Cursor, Order, Query, Test
from loanhub.services.intake import mapfile, steps
from loanhub.services.intake.crosschecks import LOWERABLE
from loanhub.services.intake.land import LAND
from loanhub.services.intake.plans import SheetPlan
from loanhub.services.intake.said import statements, unpacked
from loanhub.services.intake.sight import batch_of, in_sight
from loanhub.services.intake.undo import UNDO
from loanhub.system import make_private
from loanhub.words import shipped_labels

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.institution import Institution


@frozen
class BatchLine:
    """A batch as it stands in a list."""

    id: int
    name: str
    owner: str
    status: str
    kind: str
    rows: int
    stored: int
    changed: int
    unchanged: int
    conflicts: int
    rejected: int
    received: datetime | None


@frozen
class BatchList:
    """Ask for batches, newest first; `status` narrows, `before` goes on after the last id seen."""

    status: str = param(default="", choices=("", "landing", "stored", "refused", "needs-mapping", "undone"))
    limit: int = param(default=20)
    before: int = param(default=0)


def list_batches(books: Books, request: BatchList) -> Facts[list[BatchLine]]:
    """Batches, newest first."""
    where = (Test("status", "eq", request.status),) if request.status else ()
    after = Cursor(request.before, request.before) if request.before else None
    q = Query(Batch.KIND, where, order=Order("id", down=True), after=after)
    found = (b for b in books.find(q) if isinstance(b, Batch) and in_sight(books, b))
    return Facts([_line(b) for b in islice(found, request.limit)])


def _line(b: Batch) -> BatchLine:
    counts = (b.rows, b.stored, b.changed, b.unchanged, b.conflicts, b.rejected)
    return BatchLine(b.id, b.name, b.owner, b.status, b.content, *counts, b.received)


@frozen
class BatchShow:
    """Ask for one batch with its decisions and problems."""

    batch: int = param(argument=True)
    problems: int = param(default=20)


@frozen
class BatchDetail:
    """A batch, how it was read, its problems (`total` of them) and its audit lines."""

    batch: Batch
    problems: tuple[Mapping[str, Any], ...]
    total: int
    lines: tuple[str, ...]


def show_batch(books: Books, request: BatchShow) -> Facts[BatchDetail]:
    """One batch whole."""
    batch = batch_of(books, request.batch)
    found: list[Mapping[str, Any]] = []
    total = 0
    for statement in statements(books, batch.id):
        frame = unpacked(statement.problems)
        total += frame.height
        found += frame.head(max(request.problems - len(found), 0)).to_dicts()
    about, zone = f"batch:{batch.id}", ZoneInfo(books.settings.timezone)
    lines = tuple(
        f"{line.at.astimezone(zone):%Y-%m-%d %H:%M:%S} {line.who} {line.act} {line.reason}".strip()
        for line in books.lines()
        if line.object == about
    )
    return Facts(BatchDetail(batch, tuple(found), total, lines))


@frozen
class Original:
    """Ask for the original of a batch: where to write it, and why."""

    batch: int = param(argument=True)
    output: str = param(default="")
    reason: str = param(default="")


def original(books: Books, request: Original) -> Facts[Batch]:
    """The batch whose original may be opened, logged with the reason."""
    if not request.reason.strip():
        raise Usage("reason-needed", act="batches.original")
    batch = batch_of(books, request.batch)
    return Facts(batch, about=f"batch:{batch.id}", reason=request.reason)


def write_original(house: Institution, desk: Desk, request: Original) -> Path:
    """The original file, unsealed to `request.output` (a file or folder), readable by its owner only.

    Raises NotFound("original-gone") when the archive does not hold it, Usage("file-exists").
    """
    batch = desk.do(ORIGINAL, request)
    sealed = house.home / "archive" / batch.sha256[:2] / f"{batch.sha256}.sealed"
    if not sealed.exists():
        raise NotFound("original-gone", batch=batch.id)
    target = Path(request.output or batch.name).expanduser()
    target = target / batch.name if target.is_dir() else target
    if target.exists():
        raise Usage("file-exists", file=str(target))
    draft = target.with_name(f".{target.name}.part")
    with sealed.open("rb") as source, draft.open("wb") as plain:
        make_private(draft)
        unseal_file(house.keyring.seal_keys("archive"), source, plain, bind("archive", batch.sha256))
    move(draft, target)
    return target.absolute()


@frozen
class MappingList:
    """Ask for all remembered mappings."""


@frozen
class MappingLine:
    """A remembered mapping in a list."""

    id: int
    headers: tuple[str, ...]
    decided_by: str


def list_mappings(books: Books, _: MappingList) -> Facts[list[MappingLine]]:
    """Remembered mappings."""
    found = books.find(Query(Layout.KIND))
    return Facts([MappingLine(e.id, tuple(e.headers), e.decided_by) for e in found if isinstance(e, Layout)])


@frozen
class MappingShow:
    """Ask how the sheets of a batch are read, and what is still to be decided."""

    batch: int = param(argument=True)


def show_mapping(books: Books, request: MappingShow) -> Facts[list[SheetPlan]]:
    """The plans of a batch's sheets with their questions."""
    batch = batch_of(books, request.batch)
    return Facts([SheetPlan.from_json(s["plan"]) for s in batch.decisions.get("sheets", ())])


@frozen
class MappingSet:
    """Say what columns of a batch mean: `HEADER=FIELD`, with `,unit=万元`, `,percent=fraction`, `,epoch=DATE`
    behind it where needed; `check` lowers a cross-check: `NAME=warning`.
    """

    batch: int = param(argument=True)
    column: tuple[str, ...] = param(default=(), argument=True, many=True)
    check: tuple[str, ...] = param(default=(), many=True)


def set_mapping(books: Books, request: MappingSet) -> Facts[list[SheetPlan]]:
    """Remember the mapping for the layouts of the batch's sheets. Raises Usage for what it cannot be."""
    batch = batch_of(books, request.batch)
    told = dict(_told(books, text) for text in request.column)
    checks = dict(_check(text) for text in request.check)
    plans, puts = [], []
    there = {
        choice_key(c.key)
        for kept in batch.decisions.get("sheets", ())
        for c in SheetPlan.from_json(kept["plan"]).columns
    }
    if unknown := [text for text in request.column if choice_key(_split(text)[0]) not in there]:
        raise Usage("mapping-no-header", text=unknown[0], batch=batch.id)
    for kept in batch.decisions.get("sheets", ()):
        plan = SheetPlan.from_json(kept["plan"])
        alone = {c.column: c for c in reversed(plan.columns) if choice_key(c.key) in told}
        columns = tuple(
            evolve(c, how="file", **told[choice_key(c.key)]) if c.column in alone else c
            for c in plan.columns
            if alone.get(c.column, c) is c
        )
        plan = evolve(plan, columns=columns, checks={**plan.checks, **checks})
        known = steps.layout_of(books, plan.fingerprint)
        layout = Layout(
            id=known.id if known else books.allot(Layout.KIND),
            version=known.version if known else 0,
            fingerprint=plan.fingerprint,
            headers=[c.header for c in plan.columns],
            mapping=mapfile.kept(plan),
            decided_by=books.who.name,
        )
        plans.append(plan)
        puts.append(layout)
    if not plans:
        raise Usage("mapping-nothing", batch=batch.id)
    return Facts(plans, tuple(puts), about=f"batch:{batch.id}")


def _split(text: str) -> tuple[str, str]:
    """`HEADER=FIELD,unit=..` in its two halves; a header may hold `=`, a field may not."""
    header, _, rest = text.rpartition("=") if text.count("=") == 1 else text.partition("=")
    return header, rest


def _told(books: Books, text: str) -> tuple[str, dict[str, Any]]:
    """The header in comparison form, and what is said of it."""
    header, rest = _split(text)
    parts = rest.split(",")
    try:
        pairs = [part.split("=", 1) for part in parts[1:]]
        options = {name.strip(): mapfile.option(name.strip(), value.strip()) for name, value in pairs}
    except ValueError:
        raise Usage("mapping-unclear", text=text) from None
    if not header or "=" not in text or set(options) - mapfile.OPTIONS:
        raise Usage("mapping-unclear", text=text)
    return choice_key(header), {"field": _path(books, parts[0].strip(), text), **options}


def _path(books: Books, name: str, text: str) -> str:
    """A field from its path or its label. Raises Usage("mapping-no-field")."""
    about = books.dictionary.get(name)
    if name == "" or (about is not None and (about.imported or about.custom)):
        return name
    labels = shipped_labels()
    path = name if name in labels.values() else labels.get(choice_key(name), "")
    if not path:
        raise Usage("mapping-no-field", text=text, field=name)
    return path


def _check(text: str) -> tuple[str, str]:
    name, _, severity = text.partition("=")
    if name not in LOWERABLE or severity not in ("error", "warning"):
        raise Usage("mapping-unclear", text=text)
    return name, severity


ORIGINAL: Final = Act("batches.original", Original, "batch.original", original, writes=False, audited=True)
LIST: Final = Act("batches.list", BatchList, "batch.read", list_batches, writes=False)
SHOW: Final = Act("batches.show", BatchShow, "batch.read", show_batch, writes=False)
MAPPINGS: Final = Act("mapping.list", MappingList, "batch.read", list_mappings, writes=False)
MAPPING: Final = Act("mapping.show", MappingShow, "batch.read", show_mapping, writes=False)
SET: Final = Act("mapping.set", MappingSet, "batch.write", set_mapping)


@hookimpl
def acts() -> list[Act[Any, Any]]:
    """Acts on batches and mappings, and the hidden steps of the intake job."""
    inner = [a for a in vars(steps).values() if isinstance(a, Act)]
    return [LIST, SHOW, UNDO, ORIGINAL, MAPPINGS, MAPPING, SET, LAND, *inner]
