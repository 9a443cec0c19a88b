"""The docs say what there is: links are whole, commands exist, examples run, tables are up to date."""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from loanhub import hookspecs, settings
from loanhub.cli import tree
from loanhub.cli.asking import Clicked
from loanhub.cli.session import Session, Wishes
from loanhub.home import FOLDERS
from loanhub.institution import Institution
from loanhub.keys import Secret
from loanhub.plugins import SINGULAR
from loanhub.records import columns_of
from loanhub.services.intake import mapfile
from loanhub.words import Words
from tests import doc_tables, pages

README, CHINESE = "README.md", "README.zh-CN.md"
HOOKS = "docs/hooks.md"


# -- pages as a whole ------------------------------------------------------------------------------


@pytest.mark.parametrize("page", pages.pages(), ids=lambda page: str(page.relative_to(pages.ROOT)))
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in pages.links(page.read_text(encoding="utf-8")):
        if link.startswith(("https://", "mailto:")):
            continue
        place, _, anchor = link.partition("#")
        target = (page.parent / place).resolve() if place else page
        assert target.exists(), f"{page.name}: {link}"
        if anchor:
            assert anchor in pages.anchors(target.read_text(encoding="utf-8")), f"{page.name}: {link}"


def test_every_page_can_be_reached_from_the_readme() -> None:
    found: set[Path] = set()
    todo = [pages.ROOT / README, pages.ROOT / CHINESE]
    while todo:
        page = todo.pop()
        if page in found:
            continue
        found.add(page)
        places = (link.partition("#")[0] for link in pages.links(page.read_text(encoding="utf-8")))
        todo += [(page.parent / p).resolve() for p in places if p.endswith(".md")]
    assert set(pages.pages()) <= found


@pytest.mark.parametrize("page", doc_tables.PAGES)
def test_made_tables_are_up_to_date(page: str) -> None:
    text = pages.text_of(page)
    assert doc_tables.renewed(text) == text, "run: python -m tests.doc_tables"


def test_every_message_about_a_sheet_stands_in_one_table() -> None:
    told = [*doc_tables.NOTED, *doc_tables.WATCHED, *doc_tables.ELSEWHERE]
    listed = [*doc_tables.refusals(), *doc_tables.of_mappings(), *told, *doc_tables.row_codes()]
    assert sorted(listed) == sorted(doc_tables.codes(*doc_tables.TOPICS))
    assert set(doc_tables.WARNED) <= set(doc_tables.row_codes())


def test_every_key_of_the_settings_is_explained() -> None:
    explained = {(title, key) for title, _, says in doc_tables.SETTINGS for key in says}
    assert explained == doc_tables.keys_of_settings()


def test_operations_names_every_folder_of_a_home() -> None:
    text = pages.text_of("docs/operations.md")
    assert [name for name in FOLDERS if f"`{name}/`" not in text] == []


# -- commands --------------------------------------------------------------------------------------


def lines() -> list[tuple[str, pages.Typed]]:
    """Every `loanhub` line of every page."""
    texts = [(page.name, page.read_text(encoding="utf-8")) for page in pages.pages()]
    return [(name, line) for name, text in texts for line in pages.typed(text)]


def test_every_command_of_the_docs_exists_and_takes_what_it_is_given() -> None:
    found = lines()
    assert len(found) > 40
    for page, line in found:
        _, rest = Wishes.of(line.argv)
        context = click.Context(tree.Root(), info_name="loanhub", obj=Session(Wishes(), Path("home"), "en"))
        command: click.Command | None = context.command
        while isinstance(command, click.Group):
            command = command.get_command(context, rest.pop(0))
        assert isinstance(command, Clicked), f"{page}: {line.argv}"
        command.make_context("loanhub", list(rest), parent=context, resilient_parsing=False)


def test_both_readmes_give_the_same_commands_in_the_same_order() -> None:
    english = [line.shape for line in pages.typed(pages.text_of(README))]
    chinese = [line.shape for line in pages.typed(pages.text_of(CHINESE))]
    assert len(english) > 15
    assert english == chinese


def test_both_readmes_have_the_same_sections_and_blocks() -> None:
    for count in (lambda t: t.count("\n## "), lambda t: t.count("\n### "), lambda t: len(pages.blocks(t))):
        assert count(pages.text_of(README)) == count(pages.text_of(CHINESE))


# -- hooks -----------------------------------------------------------------------------------------


def hooks() -> dict[str, str]:
    """Every hook with its signature as it is written."""
    source = Path(hookspecs.__file__).read_text(encoding="utf-8")
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.FunctionDef) and any(
            ast.unparse(d) == "hookspec" for d in node.decorator_list
        ):
            returns = ast.unparse(node.returns) if node.returns else ""
            found[node.name] = f"`{node.name}({ast.unparse(node.args)}) -> {returns}`"
    return found


def test_every_hook_has_a_heading_with_its_exact_signature() -> None:
    titles = [line[3:] for line in pages.text_of(HOOKS).splitlines() if line.startswith("## ")]
    assert titles == list(hooks().values())


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Institution]:
    from loanhub.acts import Act, Facts
    from loanhub.entities import Customer

    home = tmp_path_factory.mktemp("home") / "LoanHub"
    open_house, _ = Institution.create(home, Secret("correct horse"), {"institution": "Riverside"})
    people = columns_of([Customer(id=1, name="Zhang San"), Customer(id=2, name="Li Si")])
    add: Any = Act("customer.two", object, "customer.write", lambda *_: Facts(None, tuple(people)))
    with open_house:
        open_house.desk().do(add, object())
        yield open_house


@pytest.mark.parametrize("hook", hooks())
def test_the_example_of_a_hook_runs(hook: str, house: Institution) -> None:
    mine = [b for b in pages.blocks(pages.text_of(HOOKS)) if b.heading == hooks()[hook]]
    assert [b.info for b in mine] == ["python run", "python try"]
    plugin = ModuleType(f"example_{hook}")
    exec(compile(mine[0].text, f"{HOOKS}: {hook}", "exec"), plugin.__dict__)
    house.plugins.register(plugin.__name__, plugin)
    registered = house.plugins.found[plugin.__name__]
    assert (registered.state, registered.kind) == ("ok", SINGULAR.get(hook, hook))
    given = {**plugin.__dict__, "house": house, "home": house.home.root, "plugin": plugin}
    exec(compile(mine[1].text, f"{HOOKS}: {hook}, tried", "exec"), given)


def test_examples_import_the_face_only_where_a_plugin_would() -> None:
    for page in (HOOKS, "docs/writing-a-plugin.md"):
        for block in pages.blocks(pages.text_of(page)):
            if block.info.startswith("python ") and block.info != "python try":
                for node in ast.walk(ast.parse(block.text)):
                    if isinstance(node, ast.ImportFrom) and node.module:
                        assert not node.module.startswith("loanhub."), node.module


def test_the_docs_name_no_module_that_is_gone() -> None:
    """`loanhub.desk` and the like in architecture and decisions are modules that can be found."""
    import importlib.util
    import re

    for page in ("docs/architecture.md", "docs/decisions.md"):
        for name in re.findall(r"`(loanhub(?:_\w+)?(?:\.[a-z_]+)+)`", pages.text_of(page)):
            if name.rpartition(".")[2] == "toml":
                continue
            module, _, attribute = name.rpartition(".")
            known = importlib.util.find_spec(name) if importlib.util.find_spec(module) else None
            assert known or hasattr(importlib.import_module(module), attribute), f"{page}: {name}"


# -- files that people write -----------------------------------------------------------------------


def tomls(page: str, holding: str) -> list[str]:
    """The TOML blocks of a page in which a word stands."""
    found = [b.text for b in pages.blocks(pages.text_of(page)) if b.info == "toml" and holding in b.text]
    assert found, page
    return found


@pytest.mark.parametrize("page", ["docs/ingest.md", "docs/ingest.zh-CN.md"])
def test_the_mapping_file_of_the_page_is_one(page: str, house: Institution, tmp_path: Path) -> None:
    words = Words.of(house.home, house.settings, house.dictionary)
    (text,) = tomls(page, "header_row")
    path = tmp_path / "sheet.xlsx.mapping.toml"
    path.write_text(text, encoding="utf-8")
    told = mapfile.read(path, words)
    assert told.document["columns"]["Name"]["field"] == "customer.name"
    assert {option for column in told.document["columns"].values() for option in column} <= mapfile.OPTIONS
    explained = pages.text_of(page)
    assert [option for option in sorted(mapfile.OPTIONS) if f"| `{option}` |" not in explained] == []
    assert [key for key in sorted(mapfile.KEYS) if key not in text] == []


@pytest.mark.parametrize("page", ["docs/ingest.md", "docs/ingest.zh-CN.md", "docs/operations.md"])
def test_settings_of_the_page_are_taken(page: str) -> None:
    for text in (t for t in tomls(page, "[[") if "[sheets" not in t):
        told = settings.structure(settings.Settings, tomllib.loads(text), page)
        settings.dictionary(told, [])
