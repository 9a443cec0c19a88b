"""A sheet too large to be held at once is read, checked and stored as a small one is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from attrs import evolve

from loanhub.errors import Refused
from loanhub.services.intake import job, rows, shelf
from loanhub.services.intake.spool import MOST_SHEETS, Contents, Spooled, read
from tests.flows.sheets import HEAD, loan, office_in, workbook
from tests.plugins.books import parts, write

ROWS = 60


def test_a_sheet_checked_in_parts_is_stored_as_one_checked_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows that repeat, contradict or complete each other do so from one end of the sheet to the other."""
    lines = [loan(number) for number in range(ROWS)]
    lines += [lines[3], loan(5, 期限="24个月"), loan(7, 身份证号=None, 借据号="J-second")]
    lines += [loan(9, 贷款金额="不详", 借据号="J-third")]
    file = workbook(tmp_path / "台账.xlsx", [HEAD, *lines])
    whole = _stored(tmp_path / "whole", file)
    monkeypatch.setattr(job, "spool", _in_small_blocks)
    monkeypatch.setattr(rows, "PART", 20)
    monkeypatch.setattr(shelf, "MEMORY", 50)
    parted = _stored(tmp_path / "parted", file)
    assert parted == whole
    assert whole["counts"] == (ROWS + 4, ROWS + 1, 1, 2)
    assert len(whole["customer"]) == ROWS


def test_a_workbook_of_more_sheets_than_can_be_planned_in_time_is_refused(tmp_path: Path) -> None:
    """One part that is listed again and again makes a small file a long list of tables."""
    content = parts('<row r="1"><c r="A1"><v>1</v></c></row>')
    listed = content["xl/workbook.xml"]
    for sheets in (MOST_SHEETS, MOST_SHEETS + 1):
        names = (f'<sheet name="{n}" sheetId="{n + 1}" r:id="rId1"/>' for n in range(sheets))
        content["xl/workbook.xml"] = re.sub("<sheet .*/>(?=</sheets>)", "".join(names), listed)
        write(tmp_path / f"{sheets}.xlsx", content)
    found = read(str(tmp_path / f"{MOST_SHEETS}.xlsx"), str(tmp_path), str(tmp_path), [])
    assert len(found["sheets"]) == MOST_SHEETS
    with pytest.raises(Refused, match="too-large"):
        read(str(tmp_path / f"{MOST_SHEETS + 1}.xlsx"), str(tmp_path), str(tmp_path), [])


def _in_small_blocks(path: Path, folder: Path, *more: Any) -> Contents:
    """The file as read, each sheet in blocks of seven rows."""
    contents = spool(path, folder, *more)
    return evolve(contents, sheets=tuple(_cut(sheet) for sheet in contents.sheets))


spool = job.spool


def _cut(sheet: Spooled) -> Spooled:
    blocks = []
    for block in sheet.blocks:
        for number, part in enumerate(pl.read_ipc(block).iter_slices(7)):
            blocks.append(block.with_name(f"{block.stem}-{number:03}.arrow"))
            part.write_ipc(blocks[-1])
    return evolve(sheet, blocks=tuple(blocks))


def _stored(folder: Path, file: Path) -> dict[str, Any]:
    folder.mkdir()
    with office_in(folder) as office:
        batch = office.ingest(file)
        kept = {kind: office.rows(kind).drop("at", "line").to_dicts() for kind in ("customer", "loan")}
        for customer in kept["customer"]:  # sealed anew each time, under other keys
            for name in [n for n in customer if n.startswith(("id_number", "bank_card"))]:
                customer[name] = None
        counts = (batch.rows, batch.stored, batch.unchanged, batch.rejected)
        return {**kept, "counts": counts, "problems": office.problems(batch).to_dicts()}
