"""docs/sync.md is what the commands say, and every call of the pages about backups is one they take."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

import click
import pytest

from loanhub.texts import LANGS, catalogue
from sync_agent.cli import docs
from sync_agent.cli.session import FLAGS, VALUES, Session, Wishes
from sync_agent.cli.told import COMMON, Told
from sync_agent.cli.tree import COMMANDS, Branch
from tests import pages

PAGES = ("docs/backup.md", "docs/operations.md", "docs/remotes.md", "README.md", "README.zh-CN.md")


def command(name: str) -> Told:
    prefix, _, last = name.rpartition(".")
    found = Branch(prefix).get_command(click.Context(Branch()), last)
    assert isinstance(found, Told)
    return found


def test_the_page_of_commands_is_up_to_date() -> None:
    assert pages.text_of("docs/sync.md") == docs.page(), "run: python -m sync_agent.cli.docs"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_and_parameter_has_words_in_both_languages(name: str) -> None:
    made = command(name)
    assert made.name == name
    codes = [f"sync.{name}", *(f"sync.{name}.{one.name}" for one in made.params if one.expose_value)]
    for code in codes:
        assert all(catalogue()[code][lang].strip() for lang in LANGS), code
    assert catalogue()[f"sync.{name}"]["hint_en"].startswith(
        f"Example: loanhub-sync {name.replace('.', ' ')}"
    )


def test_the_common_options_are_all_explained() -> None:
    explained = {one.partition(" ")[0] for one in COMMON}
    assert explained == {name for name in [*FLAGS, *VALUES, "--help"] if name.startswith("--")}


def calls() -> Iterator[tuple[str, list[str]]]:
    for page in PAGES:
        for block in pages.blocks(pages.text_of(page)):
            for line in block.text.splitlines() if block.info in ("sh", "powershell") else ():
                if line.startswith("loanhub-sync "):
                    yield page, shlex.split(line, comments=True)[1:]
    for code, words in catalogue().items():
        if code.startswith("sync") and ": loanhub-sync " in words.get("hint_en", ""):
            example = words["hint_en"].partition(": loanhub-sync ")[2].splitlines()[0]
            yield code, shlex.split(example)


def test_every_call_of_the_pages_and_examples_is_one_the_commands_take() -> None:
    found = list(calls())
    assert len(found) > 40
    for where, argv in found:
        wishes, rest = Wishes.of(argv)
        assert wishes.fault is None, where
        context = click.Context(Branch(), info_name="loanhub-sync", obj=Session(Wishes(), "en"))
        made: click.Command | None = context.command
        while isinstance(made, click.Group):
            made = made.get_command(context, rest.pop(0))
        assert isinstance(made, Told), f"{where}: {argv}"
        made.make_context("loanhub-sync", list(rest), parent=context)


def test_both_languages_of_the_page_about_backups_give_the_same_calls() -> None:
    chinese, _, english = pages.text_of("docs/backup.md").partition("\n## English")
    first, second = ([block.text for block in pages.blocks(text)] for text in (chinese, english))
    assert len(first) > 6
    assert first == second
