"""The words people use and the fields the house knows cover each other."""

from __future__ import annotations

import tomllib
import unicodedata
from collections.abc import Iterator
from typing import Any

import pytest

from loanhub.entities import ENTITIES, KINDS
from loanhub.fields import fields_of
from loanhub.readings.choices import shipped_choices

RESERVED = {"kinds", "ambiguous"}
CHINESE = ("\u4e00", "\u9fff")


def plain(header: str) -> str:
    """A header as it is compared: NFKC, case folded, letters and digits only."""
    folded = unicodedata.normalize("NFKC", header).casefold()
    return "".join(c for c in folded if unicodedata.category(c)[0] in "LN")


@pytest.fixture(scope="module")
def words(checkout_words: str) -> dict[str, Any]:
    return tomllib.loads(checkout_words)


@pytest.fixture(scope="module")
def checkout_words(checkout: Any) -> str:
    text: str = (checkout / "config" / "words.toml").read_text(encoding="utf-8")
    return text


def entries(words: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every field path with its words."""
    for kind, fields in words.items():
        if kind not in RESERVED:
            for name, about in fields.items():
                yield f"{kind}.{name}", about


def headers(about: dict[str, Any]) -> list[str]:
    """All headers that stand for a field, its labels among them."""
    aliases = about.get("aliases_zh", []) + about.get("aliases_en", [])
    return [about["label_zh"], about["label_en"], *aliases]


def known_fields() -> dict[str, bool]:
    """Field paths of all entities, and whether a sheet may fill them."""
    return {f.path: f.imported for entity in ENTITIES for f in fields_of(entity).values()}


def test_every_field_a_sheet_may_fill_has_labels_and_aliases_in_both_languages(words: dict[str, Any]) -> None:
    named = dict(entries(words))
    for path, imported in known_fields().items():
        if imported:
            assert named[path]["label_zh"], path
            assert named[path]["label_en"], path
            assert named[path]["aliases_zh"], path
            assert named[path]["aliases_en"], path


def test_every_word_belongs_to_a_field_or_says_what_it_fills(words: dict[str, Any]) -> None:
    known = known_fields()
    for path, about in entries(words):
        if about.get("pseudo"):
            assert path not in known
            assert about.get("fills", "customer.birth_date") in known, path
        else:
            assert path in known
            assert known[path] or "aliases_zh" not in about, f"{path} is not filled from sheets"


def test_what_a_pseudo_field_sets_besides_is_one_of_the_choices(words: dict[str, Any]) -> None:
    roles = {about["with"]["role"] for _, about in entries(words) if "with" in about}
    assert roles == {"spouse", "contact", "guarantor", "controller"}
    assert roles <= set(shipped_choices()["relation"].values)


def test_every_kind_has_a_name(words: dict[str, Any]) -> None:
    assert set(words["kinds"]) == set(KINDS)
    assert all(k["label_zh"] and k["label_en"] for k in words["kinds"].values())


def test_no_header_stands_for_two_fields_unless_it_is_listed_as_ambiguous(words: dict[str, Any]) -> None:
    unsure = {plain(header) for header in words["ambiguous"]}
    owner: dict[str, str] = {}
    for path, about in entries(words):
        for header in headers(about):
            if plain(header) not in unsure:
                assert owner.setdefault(plain(header), path) == path, header


def test_a_label_is_never_ambiguous_so_exports_come_back_without_a_question(words: dict[str, Any]) -> None:
    unsure = {plain(header) for header in words["ambiguous"]}
    for path, about in entries(words):
        assert not {plain(about["label_zh"]), plain(about["label_en"])} & unsure, path


def test_ambiguous_headers_name_fields_that_exist_the_usual_one_first(words: dict[str, Any]) -> None:
    named = dict(entries(words))
    owner = {plain(header): path for path, about in entries(words) for header in headers(about)}
    for header, candidates in words["ambiguous"].items():
        assert candidates
        assert len(set(candidates)) == len(candidates)
        assert set(candidates) <= set(named), header
        assert owner.get(plain(header), candidates[0]) in candidates, header


def test_the_published_ambiguous_headers_are_all_known(words: dict[str, Any]) -> None:
    # The twelve of the published alias list ("ambiguous").
    published = "联系方式 还款日期 还款方式 负债 负债率 还款日 金额 余额 编号 状态 联系人 贷款人".split()
    assert set(published) <= set(words["ambiguous"])


def test_chinese_words_are_chinese_and_english_words_are_english(words: dict[str, Any]) -> None:
    for path, about in entries(words):
        assert any(CHINESE[0] <= c <= CHINESE[1] for c in about["label_zh"]), path
        english = [about["label_en"], *about.get("aliases_en", [])]
        assert all(word.isascii() for word in english), path


def test_no_header_disappears_when_punctuation_is_removed(words: dict[str, Any]) -> None:
    assert all(plain(header) for _, about in entries(words) for header in headers(about))
