"""A file's journey from claimed to stored, a step at a time; killed anywhere, it goes on where it was.

claimed: the batch is known, then the file lies in `processing` under its digest. landing: its plan is
decided, and chunks of rows land, each with its checkpoint. Then the search keys, the report, the sealed
original; stored; and last the plain file goes.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import polars as pl
from attrs import define, evolve, field, frozen

from loanhub.entities import Batch
from loanhub.errors import LoanHubError, Misconfigured, NotAllowed, Refused, Waiting
from loanhub.files import move, need_space, owner_file, safe_name, spoken_name, write_atomically
from loanhub.jobs import Progress
from loanhub.keys import Secret, bind, seal_file
from loanhub.policy import Principal
from loanhub.searching import sorted_keys
from loanhub.services.intake import mapfile, steps
from loanhub.services.intake.held import Found, give_back, is_still
from loanhub.services.intake.mapwriting import questions
from loanhub.services.intake.planning import Planned, plan_again, plan_file, remember
from loanhub.services.intake.plans import SheetPlan
from loanhub.services.intake.report import ReadSheet, Report, report_name, write
from loanhub.services.intake.rows import Prepared, prepare
from loanhub.services.intake.spool import Contents, spool
from loanhub.settings import Drop
from loanhub.texts import Lang
from loanhub.words import Words

if TYPE_CHECKING:
    from loanhub.desk import Desk
    from loanhub.institution import Institution

LARGE = 20_000
"""Rows from which on the search keys are built after landing."""
ASKED = 10
"""Chunks for which a source's past is asked at once: each time all of it is read."""
SLICE = 50_000
"""Search keys a transaction."""
WEIGHT = 4 << 20
"""Bytes of them a transaction: pieces are few and heavy, and another writer waits meanwhile."""


def _slice(keys: pl.DataFrame) -> int:
    return max(min(SLICE, keys.height * WEIGHT // max(int(keys.estimated_size()), 1)), 1)


@frozen
class Incoming:
    """A file to take in: where it is, its name for people, the drop folder it lies in, if any."""

    path: Path
    name: str
    drop: Drop | None = None
    mapping: Path | None = None


@define
class Intake:
    """Takes files into one institution."""

    house: Institution
    lang: Lang
    words: Words = field(repr=False)
    done: list[Batch] = field(factory=list)
    dry: bool = False
    previewed: dict[str, pl.DataFrame] = field(factory=dict, repr=False)
    """Problems of a dry run by digest: they are written nowhere."""
    password: Secret | None = field(default=None, repr=False)
    """For the files that need one to be opened."""

    @classmethod
    def of(
        cls, house: Institution, lang: Lang, *, dry: bool = False, password: Secret | None = None
    ) -> Intake:
        """An intake with the words of the home."""
        words = Words.of(house.home, house.settings, house.dictionary)
        return cls(house, lang, words, dry=dry, password=password)

    # -- where things are ------------------------------------------------------------------------------

    def desk(self, drop: Drop | None) -> Desk:
        """The desk a batch acts at: its drop folder's owner, or whoever works here."""
        if drop is None:
            return self.house.desk(self.house.attendant)
        return self.house.desk(
            Principal(drop.owner, drop.role, frozenset(drop.rights), drop.scope, via=f"drop:{drop.folder}")
        )

    def returns(self, owner: str) -> Path:
        """The return folder of an owner."""
        folder = self.house.home / "returns" / safe_name(owner)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def processing(self, batch: Batch) -> Path:
        """Where the file lies while it is worked on."""
        return self.house.home / "processing" / f"{batch.sha256}{Path(batch.name).suffix.lower()[:8]}"

    def archived(self, batch: Batch) -> Path:
        """Where the sealed original lies."""
        return self.house.home / "archive" / batch.sha256[:2] / f"{batch.sha256}.sealed"

    def drop_of(self, batch: Batch) -> Drop | None:
        """The drop folder a batch came through."""
        return next((d for d in self.house.settings.drop if d.folder == batch.folder), None)

    # -- the journey -----------------------------------------------------------------------------------

    def take(self, incoming: Incoming) -> Iterator[Progress]:
        """One file, whole. Its batch is the last of `done` at the end."""
        desk = self.desk(incoming.drop)
        need_space(self.house.home.root, incoming.path.stat().st_size * 3)
        found = Found.at(incoming.path)
        claim = steps.Claim(
            found.sha256,
            spoken_name(incoming.name),
            incoming.drop.folder if incoming.drop else "",
            incoming.drop.owner if incoming.drop else desk.who.name,
        )
        batch = desk.do(steps.CLAIM, claim, preview=self.dry)
        if batch.status == "stored":
            yield from self._duplicate(batch, found, incoming)
            return
        if self.dry:  # there is no such batch: what is decided on it must not be looked up
            batch = evolve(batch, id=0, version=0, chunks=0, status="claimed")
        path = incoming.path.absolute() if self.dry else self._hold(batch, found, incoming)
        beside = incoming.mapping or mapfile.beside(incoming.path)
        notes = ("read-while-open",) if owner_file(incoming.path) else ()
        yield from self.go_on(batch, desk, path, beside, notes)

    def go_on(
        self, batch: Batch, desk: Desk, path: Path, beside: Path | None, notes: tuple[str, ...] = ()
    ) -> Iterator[Progress]:
        """Work on a batch whose file lies at `path`, from wherever it is; `notes` are known of it already."""
        try:
            yield Progress(0, 0, "reading")
            with self.house.scratch() as scratch:
                disabled = self.house.settings.plugins.disabled
                contents = spool(
                    path,
                    scratch,
                    self.house.home / "plugins",
                    disabled,
                    self.house.settings.intake,
                    self.password,
                )
                contents = evolve(contents, notes=(*contents.notes, *notes))
                yield from self._work(batch, desk, contents, beside, path)
        except Refused as error:
            if batch.status != "claimed" and error.code.startswith("password-"):  # it was open before
                raise Waiting("password-needed", file=batch.name, batch=batch.id) from error
            self._refuse(batch, desk, error, path)

    def _duplicate(self, batch: Batch, found: Found, incoming: Incoming) -> Iterator[Progress]:
        if incoming.drop and not self.dry:
            found.remove()
        again = evolve(batch, status="duplicate")
        if not batch.report or not Path(batch.report).exists():  # gone after its days: say it in short
            again = evolve(again, report=str(self._report(again, [], pl.DataFrame())))
        self.done.append(again)
        yield Progress(1, 1, "duplicate")

    def _hold(self, batch: Batch, found: Found, incoming: Incoming) -> Path:
        """The file under its digest: moved out of a drop folder, copied from anywhere else."""
        target = self.processing(batch)
        if incoming.drop:
            found.move_to(target)
        elif not is_still(target, batch.sha256):
            found.copy_to(target, self._place)
        return target

    def _place(self, target: Path, write: Callable[[BinaryIO], object]) -> None:
        """What `write` writes, whole at `target`; half-written it lies in scratch, which is emptied."""
        draft = self.house.home / "tmp" / target.name
        write_atomically(draft, write)
        move(draft, target)

    def _refuse(self, batch: Batch, desk: Desk, error: LoanHubError, path: Path) -> None:
        refusal = {"code": error.code, **{k: str(v) for k, v in error.facts.items()}}
        values: dict[str, Any] = {"status": "refused", "refusal": refusal}
        refused = evolve(batch, **values)
        report = self._report(refused, [], pl.DataFrame())
        if not self.dry:
            still = self._archive(batch, path)
            ended = {**values, "report": str(report), "finished": self.house.clock.now()}
            refused = desk.do(steps.REFUSE, steps.Change(batch.id, ended))
            self._let_go(batch, path, still)
        self.done.append(evolve(refused, report=str(report)))

    def _work(
        self, batch: Batch, desk: Desk, contents: Contents, beside: Path | None, path: Path
    ) -> Iterator[Progress]:
        begun = batch.status == "landing"
        if begun:
            kept = [SheetPlan.from_json(sheet["plan"]) for sheet in batch.decisions["sheets"]]
            plans = plan_again(self.words, contents, kept)
        else:
            plans = plan_file(self.words, desk, contents, mapfile.read(beside, self.words))
        if any(p.questions for _, p in plans):
            self._ask(batch, desk, plans)
            return
        if not begun and not self.dry:
            remember(desk, [plan for _, plan in plans])
        chunk = batch.decisions["chunk"] if begun else self.house.settings.intake.chunk
        prepared = prepare(self, plans, chunk)
        batch = self._planned(batch, desk, contents, prepared)
        yield from self._land(batch, desk, prepared)
        if not self.dry:
            prepared.let_go()
            batch = yield from self._index(batch, desk, prepared)
        self._finish(batch, desk, prepared, path)

    def _ask(self, batch: Batch, desk: Desk, plans: list[Planned]) -> None:
        """Write the questions where the clerk will find them, and wait."""
        path = self._mapping(batch)
        decisions = {"mapping": str(path), "sheets": [{"plan": p.as_json()} for _, p in plans]}
        values: dict[str, Any] = {"status": "needs-mapping", "decisions": decisions}
        values["report"] = str(self._report(evolve(batch, **values), [], pl.DataFrame()))
        if not self.dry:
            text = questions([p for _, p in plans], self.words, self.lang)
            draft = self.house.home / "tmp" / path.name
            draft.write_text(text, encoding="utf-8")
            move(draft, path)
            batch = desk.do(steps.PLAN, steps.Change(batch.id, values))
        self.done.append(evolve(batch, **values))

    def _planned(self, batch: Batch, desk: Desk, contents: Contents, prepared: Prepared) -> Batch:
        values: Mapping[str, Any] = {
            "status": "landing",
            "content": prepared.kind,
            "decisions": {
                "format": contents.format,
                "notes": list(contents.notes),
                "sheets": [s.decisions() for s in prepared.sheets],
                "chunk": prepared.chunk,
            },
        }
        if batch.status == "landing" or self.dry:
            return evolve(batch, **{**values, "decisions": batch.decisions or values["decisions"]})
        return desk.do(steps.PLAN, steps.Change(batch.id, values))

    def _land(self, batch: Batch, desk: Desk, prepared: Prepared) -> Iterator[Progress]:
        later = prepared.total > LARGE
        if batch.chunks:
            prepared.restore(desk.do(steps.SO_FAR, steps.Of(batch.id)))
        heard, asked = pl.DataFrame(schema={"key": pl.Int64}), ""
        for number, chunk in prepared.chunks(batch, start=batch.chunks):
            if number % ASKED == 0 or number == batch.chunks or chunk.source != asked:
                keys, asked = prepared.keys_ahead(number, ASKED), chunk.source
                heard = desk.do(steps.SAID, steps.Said(asked, keys, batch.id))
            said = heard.filter(pl.col("key").is_in(chunk.values["#hash"].implode()))
            landed = prepared.land(desk, evolve(chunk, said=said), later=later, dry=self.dry)
            prepared.learn(landed)
            yield Progress(prepared.seen(number), prepared.total, "landing")

    def _index(self, batch: Batch, desk: Desk, prepared: Prepared) -> Generator[Progress, None, Batch]:
        if prepared.total > LARGE:
            whole = batch.chunks == 0  # nothing landed before a kill: this desk knows all keys
            records = desk.postponed if whole else desk.do(steps.MADE, steps.Of(batch.id))
            done = 0
            for part in (part for some in sorted_keys(records) for part in some.iter_slices(_slice(some))):
                done += part.height
                desk.do(steps.INDEX, steps.Index(batch.id, part, done))
                yield Progress(done, 0, "indexing")
            desk.postponed.clear()
        return desk.do(steps.SHOW, steps.Of(batch.id))

    def _finish(self, batch: Batch, desk: Desk, prepared: Prepared, path: Path) -> None:
        sheets = [ReadSheet(s.table, s.plan, s.rows) for s in prepared.sheets]
        counts: dict[str, Any] = dict(prepared.counts) if self.dry else {}
        waiting = 0 if self.dry else desk.do(steps.WAITING, steps.Of(batch.id))
        ended = evolve(batch, status="stored", waiting=waiting, **counts)
        problems = prepared.problems if self.dry else desk.do(steps.PROBLEMS, steps.Of(batch.id))
        report = self._report(ended, sheets, problems)
        if self.dry:
            self.previewed[batch.sha256] = problems
            self.done.append(evolve(ended, report=str(report)))
            return
        still = self._archive(batch, path)
        values = {
            "status": "stored",
            "waiting": waiting,
            "report": str(report),
            "finished": self.house.clock.now(),
        }
        with suppress(OSError):  # what lies there may be a folder, or may not be removed
            self._mapping(batch).unlink()
        self.done.append(desk.do(steps.FINISH, steps.Change(batch.id, values)))
        self._let_go(batch, path, still)

    def _report(self, batch: Batch, sheets: list[ReadSheet], problems: pl.DataFrame) -> Path:
        path = self.returns(batch.owner) / report_name(batch.name, dry=self.dry)
        draft = self.house.home / "tmp" / path.name
        write(draft, Report(batch, sheets, problems, self.words, self.lang))
        try:
            move(draft, path)
        except PermissionError:  # Windows: the clerk still has the last one open
            path = path.with_name(f"{batch.id}.{path.name}")
            move(draft, path)
        return path.absolute()

    def _archive(self, batch: Batch, path: Path) -> bool:
        """Seal the original under its digest, once; False when somebody has written to it meanwhile."""
        target = self.archived(batch)
        target.parent.mkdir(parents=True, exist_ok=True)
        still = not path.exists() or is_still(path, batch.sha256)
        if target.exists() or not path.exists() or not still:
            return still
        key, place = self.house.keyring.seal_key("archive"), bind("archive", batch.sha256)
        with path.open("rb") as source:
            self._place(target, lambda sealed: seal_file(key, source, sealed, place))
        return True

    def _let_go(self, batch: Batch, path: Path, still: bool) -> None:
        """Remove the plain file; one written to meanwhile goes back where it was dropped."""
        if still or (drop := self.drop_of(batch)) is None:
            path.unlink(missing_ok=True)
        else:
            give_back(path, self.house.home.root / drop.folder / batch.name)

    def unfinished(self) -> list[Batch]:
        """Batches that were begun and not ended, oldest first."""
        return self.house.system_desk("intake").do(steps.UNFINISHED, steps.Nothing())

    def resume(self) -> Iterator[Progress]:
        """Go on with what was begun: after a kill, or when a mapping has been answered.

        A fault of one batch (its mapping file is wrong) is raised when the others have been seen to.
        """
        fault: LoanHubError | None = None
        for batch in self.unfinished():
            path, drop = self.processing(batch), self.drop_of(batch)
            answered = self._answered(batch)
            if not path.exists() or (batch.status == "needs-mapping" and answered is None):
                continue
            if batch.folder and drop is None:  # nobody may act for a folder that is no more
                continue
            try:
                yield from self.go_on(batch, self.desk(drop), path, answered)
            except (Misconfigured, NotAllowed, Waiting) as error:
                fault = fault or error
        self._sweep()
        if fault is not None:
            raise fault

    def _sweep(self) -> None:
        """Remove plain files that a kill left behind: their batch has ended, and they are sealed."""
        at_work = {batch.sha256 for batch in self.unfinished()}
        for path in (self.house.home / "processing").iterdir():
            if path.stem not in at_work and self.archived(Batch(sha256=path.stem)).exists():
                path.unlink(missing_ok=True)

    def _mapping(self, batch: Batch) -> Path:
        """Where the questions about a batch are asked: its drop folder, or its owner's return folder."""
        drop = self.drop_of(batch)
        folder = self.house.home.root / drop.folder if drop else self.returns(batch.owner)
        return folder / f"{batch.name}.mapping.toml"

    def _answered(self, batch: Batch) -> Path | None:
        """The mapping file of a batch when every question in it is answered."""
        asked = self._mapping(batch)
        both = (asked, asked.with_name(f"{Path(batch.name).stem}.mapping.toml"))
        return next((path for path in both if path.is_file() and not mapfile.is_open(path)), None)
