"""A message in words: the template's text with the few variables it may have, for one person.

What is filled in is a surname with 先生/女士 (or the full name of a company), amounts, dates and the last
four characters of loan numbers; never an identity number, card or phone. Source: DOMAIN.md section 6.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final

from loanhub import money
from loanhub.entities import Customer, Message
from loanhub.kinds import Letter
from loanhub.services.reminders.timetable import Timetable, fill
from loanhub.texts import Lang

TAIL: Final = 4
TITLES: Final[Mapping[Lang, Mapping[str | None, str]]] = {
    "zh": {"M": "先生", "F": "女士", None: "先生/女士"},
    "en": {"M": "Mr", "F": "Ms", None: "Mr/Ms"},
}
UNKNOWN_AMOUNT: Final[Mapping[Lang, str]] = {"zh": "以合同约定为准", "en": "as agreed in the contract"}
NAMELESS: Final[Mapping[Lang, str]] = {"zh": "客户", "en": "customer"}
COMPOUND: Final = frozenset(
    """
    欧阳 太史 端木 上官 司马 东方 独孤 南宫 万俟 闻人 夏侯 诸葛 尉迟 公羊 赫连 澹台
    皇甫 宗政 濮阳 公冶 太叔 申屠 公孙 慕容 仲孙 钟离 长孙 宇文 司徒 鲜于 司空 闾丘
    子车 亓官 司寇 巫马 公西 颛孙 壤驷 公良 漆雕 乐正 宰父 谷梁 拓跋 夹谷 轩辕 令狐
    段干 百里 呼延 东郭 南门 羊舌 微生 公户 公玉 公仪 梁丘 公仲 公上 公门 公山 公坚
    左丘 公伯 西门 公祖 第五 公乘 贯丘 公皙 南荣 东里 东宫 仲长 子书 子桑 即墨 达奚
    褚师
    """.split()
)
"""Surnames of two characters."""
_FIRM: Final = re.compile(r"公司|合作社|经营部|商行|工厂|中心|事务所|(店|厂|部|社|行)$")
_CHINESE: Final = re.compile(r"[\u3400-\u9fff]")


def salutation(customer: Customer, lang: Lang) -> str:
    """王先生, Mr 王; a company by its full name."""
    name = customer.name.strip()
    if not name:
        return NAMELESS[lang]
    firm = customer.customer_type == "company" or (len(name) > TAIL and _FIRM.search(name))
    if firm:
        return name
    title = TITLES[lang].get(customer.gender, TITLES[lang][None])
    return f"{surname(name)}{title}" if lang == "zh" else f"{title} {surname(name)}"


def surname(name: str) -> str:
    """What to address a person by: 欧阳 of 欧阳某, the part before ·, the last Latin word."""
    if not _CHINESE.search(name):
        return name.rsplit(maxsplit=1)[-1]
    if "·" in name:
        return name.split("·", 1)[0]
    return name[:2] if name[:2] in COMPOUND and len(name) > 2 else name[:1]


def letter(
    message: Message,
    customer: Customer,
    *,
    due: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    table: Timetable,
    lang: Lang,
    institution: str,
) -> Letter:
    """The letter of a message; `due` are its items still open, each with its loan as `dues` shows it.

    Its id is the same on every try, and no other message's, not even after the database was restored.
    """
    template = table.templates[message.template]
    lines = [fill(template.words("line", lang), _line(item, loan, lang)) for item, loan in due]
    stated = [loan["stated_on"] for _, loan in due if loan["stated_on"]]
    values = {
        "salutation": salutation(customer, lang),
        "lines": "\n".join(lines),
        "as_of": str(min(stated) if stated else message.planned_for),
        "institution": institution,
    }
    text = fill(template.words("text", lang), values).rstrip()
    return Letter(
        f"{message.id}-{mark(message)}", contact(customer), template.words("subject", lang), text, lang
    )


def mark(message: Message) -> str:
    """What its letter's id ends with: the same for the same occasions, whatever number the message has."""
    return hashlib.sha256(message.dedup.encode()).hexdigest()[:12]


def contact(customer: Customer) -> dict[str, str]:
    """How the customer can be reached, without what is not known."""
    ways = {name: getattr(customer, name) for name in ("name", "mobile", "email", "address")}
    return {name: value for name, value in ways.items() if value}


def still(item: Mapping[str, Any], loan: Mapping[str, Any]) -> bool:
    """Whether it is still so: its due date is still the next one, its loan still overdue."""
    if item["about"] == "overdue":
        return loan["overdue"] is not None
    return item["about"] not in ("due", "maturity") or loan[item["about"]] == date.fromisoformat(item["day"])


def _line(item: Mapping[str, Any], loan: Mapping[str, Any], lang: Lang) -> dict[str, str]:
    overdue = item["about"] == "overdue"
    fen = loan["overdue_amount" if overdue else "due_amount"]
    day = loan["overdue"] if overdue else item["day"]
    amount = UNKNOWN_AMOUNT[lang] if fen is None else money.show(fen, lang)
    return {"loan": (loan["loan_no"] or "")[-TAIL:] or "-", "date": str(day), "amount": amount}
