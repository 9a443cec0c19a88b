"""Headers as people spell them: with marks, units, brackets, traditional characters, and one slip of the key.

`spellings` are the same header; `near` are headers one slip away, which need the values to speak for them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import SequenceMatcher
from typing import Final

from attrs import frozen

from loanhub.readings import tidy
from loanhub.readings.choices import choice_key
from loanhub.words import Words

BRACKETS: Final = re.compile(
    r"[（(\[【][^（()）\[\]【】]{0,12}"
    r"(元|%|％|‰|月|期|天|年|日|[必选]填|格式|文本|\d+位|"
    r"yuan|cny|rmb|months?|years?|days?|required|optional|mandatory|yyyy|text)"
    r"[^（()）\[\]【】]{0,8}[)）\]】]",
    re.IGNORECASE,
)
"""Brackets that hold a unit, or say how the column is filled in; others may change what it means."""

NUMBERING: Final = re.compile(r"^\s*(\d{1,3}\s*[.、．)）:：]|[①-⑳]|[(（]\d{1,3}[)）])\s*")
MARKS: Final = re.compile(r"[★☆▲△●○◎※◆◇■□√✓→↓↑]|\bn/?a\b")
FILLERS: Final = re.compile(
    r"请?(如实)?填写|[必选]填项?|信息栏?$|一栏$|字段$|(?<=.)栏$|"
    r"\b(please|enter|required|optional|mandatory|field|column|info)\b",
    re.IGNORECASE,
)
"""Words that say nothing of what a column means."""

TRADITIONAL: Final = str.maketrans(
    "業個產價會備養冊農決況準幾劃別製辦務動單歷曆參發號員週國復複實審對屬歲崗應開歸當錄徑徵總態戶執撫護報擔據數"
    "時來構機稅種稱簽類係繫緊約級納線細終經結絕統續維綜編網罰聯職獲營見計訂訊記論訪證証評識話詢詳請諾負責賬帳質"
    "貸資贍還進郵銀長門間陽陰際險預額風驗餘電碼與從現狀齡註濟關償內書項幣貨處點寫選欄填",
    "业个产价会备养册农决况准几划别制办务动单历历参发号员周国复复实审对属岁岗应开归当录径征总态户执抚护报担据数"
    "时来构机税种称签类系系紧约级纳线细终经结绝统续维综编网罚联职获营见计订讯记论访证证评识话询详请诺负责账账质"
    "贷资赡还进邮银长门间阳阴际险预额风验余电码与从现状龄注济关偿内书项币货处点写选栏填",
)
"""Traditional characters of the headers that are known, to the simplified ones they are known in."""

MEANING: Final = frozenset(
    "原新旧前后非未已应实总次父母首末上下主副本他另各其无有不双单共夫妻男女年月日天期季周率额比数息罚费税险差"
    "利还放收付借贷保押人号名方员父母子儿兄弟姐妹哥嫂0123456789%‰一二三四五六七八九十"
)
"""Characters that change what a header means: with or without one of them it is another header."""

FAR: Final = 0.6
"""Likeness below which two headers have nothing to do with each other."""

LEAST_HAN: Final = 4
LEAST_LATIN: Final = 6
"""Characters a header must have for a slip in it to be told from another word."""


LONGEST: Final = 1_000
"""Characters of a header."""
SLIP, SHORT, OTHER = "slip", "short", "other"
"""How two headers are apart: by a slip; by one in a header so short that it may be another word; or by a
character in place of another, which in Chinese mostly is another word.
"""


@frozen
class Near:
    """A field whose header is nearly this one; `how`: SLIP, SHORT or OTHER."""

    path: str
    how: str


def spellings(header: str) -> list[str]:
    """The comparison keys of a header: as it stands, then without what says nothing of its meaning.

    None of a text that is longer than any header: it is a note, and to look through it takes its time.
    """
    if len(header) > LONGEST:
        return []
    plain = tidy(header)
    bare = MARKS.sub("", BRACKETS.sub("", tidy(NUMBERING.sub("", header))))
    found = [plain, BRACKETS.sub("", plain), bare, FILLERS.sub("", bare.translate(TRADITIONAL))]
    keys = [choice_key(text) for text in found]
    keys += [key.translate(TRADITIONAL) for key in keys]
    return [key for key in dict.fromkeys(keys) if key]


def near(words: Words, header: str) -> list[Near]:
    """The fields whose headers are one slip away from this one, each once, as near as it comes."""
    found: dict[str, str] = {}
    keys = spellings(header)[-2:]
    for alias, path in words.aliases.items():
        for key in keys:
            if abs(len(key) - len(alias)) <= 1 and (how := slip(key, alias)):
                found[path] = min(how, found.get(path, how), key=(SLIP, SHORT, OTHER).index)
    return [Near(path, how) for path, how in found.items()]


def closest(words: Words, header: str, paths: Collection[str]) -> str:
    """The one of some fields whose headers are most like this one, however far; empty if none is at all."""
    matcher, best = SequenceMatcher(autojunk=False), (FAR, "")
    for key in spellings(header)[-2:]:
        matcher.set_seq2(key)
        for alias, path in words.aliases.items():
            if path in paths:
                matcher.set_seq1(alias)
                if matcher.real_quick_ratio() >= best[0] and (ratio := matcher.ratio()) >= best[0]:
                    best = (ratio, path)
    return best[1]


def slip(one: str, other: str) -> str:
    """How one slip makes `one` of `other` (a character more, less, swapped, replaced); empty if none does."""
    latin = one.isascii() and other.isascii()
    least, lengths = LEAST_LATIN if latin else LEAST_HAN, sorted((len(one), len(other)))
    if one == other or lengths[1] - lengths[0] > 1 or lengths[1] < least:
        return ""
    sound = SLIP if lengths[0] >= least else SHORT
    if len(one) != len(other):
        longer, shorter = (one, other) if len(one) > len(other) else (other, one)
        at = next((i for i, c in enumerate(shorter) if c != longer[i]), len(shorter))
        return sound if longer[:at] + longer[at + 1 :] == shorter and longer[at] not in MEANING else ""
    apart = [i for i, c in enumerate(one) if c != other[i]]
    if len(apart) == 1:
        both = {one[apart[0]], other[apart[0]]}
        return "" if both & MEANING else SLIP if latin else OTHER
    swapped = len(apart) == 2 and apart[1] == apart[0] + 1
    return sound if swapped and one[apart[0]] == other[apart[1]] and one[apart[1]] == other[apart[0]] else ""
