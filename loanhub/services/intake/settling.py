"""What a header leaves open: settled by the other columns or by the values, else asked. Never guessed.

An ambiguous header is settled by its neighbours, or where one meaning fits every value. A header that is
unknown or one slip away from a known one is settled where the values speak for the field, no other column
claims it, and the header does not name somebody else. A header whose values say something else is asked.
"""

from __future__ import annotations

import re
from typing import Final

import polars as pl
from attrs import evolve

from loanhub.fields import FieldType
from loanhub.readings.choices import choice_key
from loanhub.services.intake import cells as cells_
from loanhub.services.intake.evidence import NUMBERS, SHAPES, contradicts, look, strange, supports
from loanhub.services.intake.likeness import OTHER, SLIP, closest, near, spellings
from loanhub.services.intake.plans import ColumnPlan, Evidence, Question
from loanhub.services.intake.subjects import PRIMARY, WITHIN, subject_of
from loanhub.words import Words

CONFIRMED: Final = frozenset(map(choice_key, ("负债率",)))
"""Headers that no neighbour and no value can settle: debt to income, or debt to assets."""

OWN: Final = re.compile(r"借款人|贷款人|主[借贷]人|申请人|持卡人|本人|个人|客户|员工")
"""Words for the customer, which may stand in a header of the customer's own number."""

OTHERS: Final = re.compile(
    r"[人员友亲夫妻父母爸妈爹娘儿兄弟姐妹哥嫂媳婿]|方(?!式)|配偶|老公|老婆|太太|对象|子女|女儿|家[属长]|[村组队店]长|"
    r"担保|保证|抵押|质押|紧急|推荐|介绍|中介|渠道|经办|经理|主管|客服|催收|财务|会计|出纳|书记|管家|"
    r"共同|共借|共有|关联|代[表理办]|股东|实控|合伙|同[事学乡]|邻居|单位|公司|雇主|"
    r"spouse|wife|husband|guarant|contact|emergency|referr|manager|officer|agent|parent|father|mother|"
    r"\b(son|daughter|brother|sister|owner|staff|clerk|payee)\b|friend|neighbou?r|colleague|employer|broker|"
    r"shareholder|director|accountant|mortgag|pledg|legal rep|co-?(borrower|signer|applicant)|relat",
    re.IGNORECASE,
)
"""What a header says of a number that is not the customer's own."""

KIN: Final = {FieldType.MOBILE: {FieldType.MOBILE, FieldType.PHONE}}
"""Types whose numbers look the same."""

SURE: Final = frozenset({"file", "remembered"})
"""How a person has decided: that is not questioned."""


def ambiguous_key(words: Words, header: str) -> str | None:
    """The key of a header that may mean several fields."""
    return next((key for key in spellings(header) if key in words.ambiguous), None)


def settle(
    words: Words, columns: list[ColumnPlan], cells: pl.DataFrame
) -> tuple[list[ColumnPlan], list[Question]]:
    """Ambiguous headers first, then the unknown ones."""
    questions: list[Question] = []
    for place, plan in enumerate(columns):
        if plan.how == "unknown" and (key := ambiguous_key(words, plan.header)) is not None:
            columns[place], question = _settle(words, columns, plan, key, cells)
            questions += question
    return _unknown(words, columns, cells, questions)


def _settle(
    words: Words, columns: list[ColumnPlan], plan: ColumnPlan, key: str, cells: pl.DataFrame
) -> tuple[ColumnPlan, list[Question]]:
    """An ambiguous header: by the other columns, then because only one reading fits, else a question."""
    taken = {c.field for c in columns if c.field}
    candidates = [p for p in words.ambiguous[key] if words.in_use(p) and p not in taken]
    fits = [p for p in candidates if cells_.fits(words, p, plan, cells)]
    spoken = not fits and cells_.filled(plan, cells)  # there are values, but no reading fits all
    chosen = None if key in CONFIRMED else _by_neighbours(taken, candidates if spoken else fits)
    if chosen:
        return evolve(plan, field=chosen, how="neighbours"), []
    if len(fits) == 1 and len(candidates) > 1 and key not in CONFIRMED:
        return evolve(plan, field=fits[0], how="values"), []
    if fits or (spoken and candidates):
        return plan, [Question(plan.column, plan.header, "which-field", tuple(fits or candidates))]
    return plan, []


def _by_neighbours(taken: set[str], candidates: list[str]) -> str | None:
    subject = subject_of(taken)
    if subject is None:
        return None
    primary = [p for p in candidates if p.split(".")[0] in PRIMARY[subject]]
    within = [p for p in candidates if p.split(".")[0] in WITHIN[subject]]
    for group in (primary, within):
        if len(group) == 1:
            return group[0]
        if group:
            return None
    return None


def _unknown(
    words: Words, columns: list[ColumnPlan], cells: pl.DataFrame, questions: list[Question]
) -> tuple[list[ColumnPlan], list[Question]]:
    """Unknown headers: those one slip from a known one, then those whose values say what they are."""
    asked = {q.column for q in questions}
    open_ = [i for i, c in enumerate(columns) if c.how == "unknown" and c.column not in asked]
    for place in open_:
        columns[place], question = _slipped(words, columns, columns[place], cells)
        questions += question
    asked = {q.column for q in questions}
    seen = {
        i: look(columns[i], cells) for i in open_ if not columns[i].field and columns[i].column not in asked
    }
    for place, found in seen.items():
        if found is not None:
            columns[place] = evolve(columns[place], evidence=found)
    for shape in SHAPES:
        alike = [i for i, found in seen.items() if found is not None and found.shape == shape]
        questions += _proven(words, columns, alike, cells)
    return columns, questions


def _slipped(
    words: Words, columns: list[ColumnPlan], plan: ColumnPlan, cells: pl.DataFrame
) -> tuple[ColumnPlan, list[Question]]:
    """A header one slip from a known one: decided where the values speak for the field, else asked."""
    taken = {c.field for c in columns if c.field}
    if not cells_.filled(plan, cells):
        return plan, []
    likely = [n for n in near(words, plan.header) if n.path not in taken]
    backed = [n for n in likely if supports(words, n.path, plan, cells)]
    number = [n for n in backed if cells_.about(words, n.path).type in NUMBERS]
    if len(likely) == 1 and backed and backed[0].how == SLIP:
        return evolve(plan, field=backed[0].path, how="fuzzy"), []
    fits = [n.path for n in likely if n.how != OTHER and cells_.fits(words, n.path, plan, cells)]
    asked = tuple(dict.fromkeys([*fits, *(n.path for n in number)]))
    return plan, [Question(plan.column, plan.header, "looks-like", asked)] if asked else []


def _proven(words: Words, columns: list[ColumnPlan], alike: list[int], cells: pl.DataFrame) -> list[Question]:
    """Columns of one shape under unknown headers: the one of a kind is decided, several are asked."""
    taken = {c.field for c in columns if c.field}
    evidence = columns[alike[0]].evidence if alike else None
    path = SHAPES[evidence.shape].field if evidence else ""
    if not path or path in taken or not words.in_use(path):
        return []
    first = cells[f"c{columns[alike[0]].column}"]
    same = all(first.eq_missing(cells[f"c{columns[i].column}"]).all() for i in alike)
    others = [_other(words, columns[i].header, path) for i in alike]
    if same and not any(others):
        for i in alike:  # repeated ones are read once
            columns[i] = evolve(columns[i], field=path, how="values")
        return []
    return [
        Question(columns[i].column, columns[i].header, "looks-like", tuple(dict.fromkeys([path, *other])))
        for i, other in zip(alike, others, strict=True)
    ]


def _other(words: Words, header: str, path: str) -> list[str]:
    """What a header says against being the customer's own number: a field it is like, or somebody's name."""
    type_ = cells_.about(words, path).type
    fit = {p for p in words.aliases.values() if cells_.about(words, p).type in KIN.get(type_, {type_})}
    like = closest(words, header, fit)
    if like and like != path:
        return [like]
    return [path] if OTHERS.search(OWN.sub("", header)) else []


def contradicted(
    words: Words, columns: list[ColumnPlan], cells: pl.DataFrame, asked: set[int]
) -> list[Question]:
    """Columns whose header says one thing and whose values another: asked, whichever is right."""
    taken = {c.field for c in columns if c.field}
    questions = []
    for plan in columns:
        if not plan.field or plan.how in SURE or plan.column in asked:
            continue
        found: Evidence | None = look(plan, cells)
        if found is not None and (candidates := contradicts(words, plan, found, taken)):
            questions.append(Question(plan.column, plan.header, "header-contradicts", candidates))
        elif strange(words, plan):
            questions.append(Question(plan.column, plan.header, "unknown-words", (plan.field,)))
    return questions
