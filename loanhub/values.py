"""Values of single fields: as people type them at a command or form, and as they may be shown again.

The readings are those of ingestion: `2026年3月1日`, `20万`, `已婚` mean here what they mean in a cell.
All faults of a request are gathered and raised together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from typing import Any, Final, TypeVar, cast
from zoneinfo import ZoneInfo

import attrs
from attrs import frozen

from loanhub.acts import Books
from loanhub.entities import KINDS, Customer, Entity, Pending
from loanhub.errors import Usage
from loanhub.fields import INTEGERS, Field, FieldType, fields_of
from loanhub.identifiers import (
    read_card,
    read_email,
    read_mobile,
    read_phone,
    read_resident_id,
    read_uscc,
    read_wechat,
)
from loanhub.policy import Said
from loanhub.readings import Reading, refused, tidy
from loanhub.readings.amounts import read_amount
from loanhub.readings.choices import ChoiceList, choice_key, choice_lists, shipped_choices, shipped_document
from loanhub.readings.dates import read_date, read_datetime
from loanhub.readings.plain import read_name, read_ratio, read_text, read_whole
from loanhub.readings.rates import read_rate
from loanhub.readings.terms import read_term
from loanhub.records import Probe, Query, lived, stored
from loanhub.searching import blind_token
from loanhub.settings import default
from loanhub.texts import Lang, catalogue, render

T = FieldType
E = TypeVar("E", bound=Entity)
Reader = Callable[[str], Reading[Any]]

CLEAR: Final = ("清空", "#clear", "#CLEAR")
"""A value that says one of these erases what is there, as in a cell; an empty one is a mistake."""

LONGEST_TEXT: Final = 500

_SINGLE: Final[Mapping[FieldType, Reader]] = {
    T.USCC: read_uscc,
    T.MOBILE: read_mobile,
    T.PHONE: read_phone,
    T.CARD: read_card,
    T.EMAIL: read_email,
    T.WECHAT: read_wechat,
    T.NAME: read_name,
    T.RATIO: read_ratio,
    T.DATE: read_date,
}


@frozen
class Noted:
    """Something said of a typed value: the path of its field and a message code, never the value."""

    field: str
    code: str
    facts: Mapping[str, object] = attrs.field(factory=dict, repr=False)


@frozen
class Faults:
    """All that is wrong with what was typed; `"{faults:zh}"` in a message says it in words."""

    noted: tuple[Noted, ...]

    def __format__(self, lang: str) -> str:
        if lang not in ("zh", "en"):
            return str(self)
        return " ".join(_in_words(one, cast("Lang", lang)) for one in self.noted)

    def __str__(self) -> str:
        return ", ".join(f"{one.field}: {one.code}" for one in self.noted)


def _in_words(one: Noted, lang: Lang) -> str:
    kind, name = one.field.split(".", 1)
    label = default("words.toml").get(kind, {}).get(name, {}).get(f"label_{lang}", name)
    said = render(one.code, lang, **{"header": label, **one.facts})
    if "{header}" in catalogue().get(one.code, {}).get(lang, ""):
        return str(said)
    return f"{label}：{said}" if lang == "zh" else f"{label}: {said}"


@frozen
class Typed:
    """What was typed, read: attribute values by name (None: cleared), custom ones apart, and warnings."""

    values: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    extra: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """In stored form, as the column `extra` keeps them."""
    warnings: tuple[Noted, ...] = ()

    def onto(self, entity: E) -> E:
        """The entity with these values."""
        changes = dict(self.values)
        if self.extra:
            merged = {**getattr(entity, "extra", {}), **self.extra}
            changes["extra"] = {name: value for name, value in merged.items() if value is not None}
        return attrs.evolve(entity, **changes)


# -- one value -------------------------------------------------------------------------------------


def read_value(
    about: Field,
    text: str,
    choices: Mapping[str, ChoiceList],
    *,
    today: date | None = None,
    zone: ZoneInfo | None = None,
) -> Reading[Any]:
    """A typed text as the attribute's value: fen, Decimal fraction, date, moment in UTC, choice key, bool.

    `today`: births after it are refused. `zone`: where a moment without zone is meant (UTC if not given).
    The `unit` of a term (month, day, period) stands among the facts.
    """
    if about.type is T.TIME:
        return _moment(read_datetime(text), zone or ZoneInfo("UTC"))
    if about.type is T.RESIDENT_ID:
        return read_resident_id(text, today=today)
    if about.type is T.YES_NO:
        answer = choices["yes_no"].read(text)
        return Reading(answer.value == "yes") if answer.ok else answer
    if about.choices is not None:
        return choices[about.choices].read(text)
    if about.type in _SINGLE:
        return _bounded(about, _SINGLE[about.type](text))
    return _number(about, text)


def _number(about: Field, text: str) -> Reading[Any]:
    check = about.check
    if about.type is T.MONEY:
        return _bounded(about, read_amount(text, allow_zero=not (check and check.least == 1)))
    if about.type is T.INTEGER:
        least = check.least if check and check.least is not None else 0
        most = check.most if check and check.most is not None else 2**31
        return read_whole(text, least=least, most=most)
    if about.type is T.RATE:
        rate = read_rate(text)
        if rate.value is None:
            return rate
        fixed = rate.value.annual
        return refused("rate-floating-unreadable") if fixed is None else Reading(fixed, None, rate.warning)
    if about.type is T.TERM:
        term = read_term(text)
        return Reading(term.value.value, None, None, {"unit": term.value.unit}) if term.value else term
    return read_text(text, most=check.longest if check and check.longest else LONGEST_TEXT)


def _moment(reading: Reading[datetime], zone: ZoneInfo) -> Reading[Any]:
    if reading.value is None:
        return reading
    return attrs.evolve(reading, value=reading.value.replace(tzinfo=zone).astimezone(UTC))


def _bounded(about: Field, reading: Reading[Any]) -> Reading[Any]:
    """Held to the field's limits, which are in stored units."""
    if reading.value is None or about.check is None or about.type not in INTEGERS:
        return reading
    value, check = stored(about, reading.value), about.check
    if (check.least is not None and value < check.least) or (check.most is not None and value > check.most):
        return refused("number-out-of-range", least=check.least, most=check.most)
    return reading


def moment_of(books: Books, text: str | None) -> datetime | None:
    """A moment someone asks the books of: a day means its end. Raises Usage("moment-unreadable")."""
    if text is None:
        return None
    zone = ZoneInfo(books.settings.timezone)
    if ":" not in text and (day := read_date(text)).value is not None:
        return datetime.combine(day.value + timedelta(days=1), time.min, zone).astimezone(UTC)
    reading = _moment(read_datetime(text), zone)
    if reading.value is None:
        raise Usage("moment-unreadable")
    return cast("datetime", reading.value)


def choices_of(books: Books) -> Mapping[str, ChoiceList]:
    """The sets to choose from: the shipped ones with the home's own words."""
    own = books.config("choices.toml")
    return shipped_choices() if own == shipped_document() else choice_lists(shipped_document(), own)


# -- many values -----------------------------------------------------------------------------------


def typed_texts(
    books: Books, kind: str, assignments: Iterable[str], given: Mapping[str, str | None]
) -> dict[str, str]:
    """Field name to text, from `field=value` assignments and options that are given.

    A field may be called by its name, its path or what people call it. Raises Usage("set-without-equals",
    "field-unknown", "field-twice").
    """
    found: dict[str, str] = {}
    pairs = [(name, text) for name, text in given.items() if text is not None]
    for assignment in assignments:
        name, equals, text = assignment.replace("＝", "=", 1).partition("=")
        if not equals:
            raise Usage("set-without-equals")
        pairs.append((field_named(books, kind, name).name, text))
    for name, text in pairs:
        if name in found:
            raise Usage("field-twice", field=name)
        found[name] = text
    return found


def field_named(books: Books, kind: str, called: str) -> Field:
    """The field a person means. Raises Usage("field-unknown") for none, or one that nobody types."""
    plain = tidy(called)
    name = plain.removeprefix(f"{kind}.")
    own = {
        choice_key(label): custom.name
        for custom in books.settings.fields.custom
        for label in (custom.label_zh, custom.label_en, *custom.aliases)
        if custom.kind == kind
    }
    called_so = own.get(choice_key(plain)) or _called(kind).get(choice_key(plain), "")
    for path in (f"{kind}.{name}", f"{kind}.{called_so}"):
        about = books.dictionary.get(path)
        if about is not None and (about.imported or about.custom):
            return about
    raise Usage("field-unknown", field=plain[:40], kind=kind)


@cache
def _called(kind: str) -> Mapping[str, str]:
    """What people call the fields of a kind, by comparison key."""
    found: dict[str, str] = {}
    for name, words in default("words.toml").get(kind, {}).items():
        if words.get("pseudo"):
            continue
        labels = [words["label_zh"], words["label_en"]]
        for label in (*labels, *words.get("aliases_zh", ()), *words.get("aliases_en", ())):
            found.setdefault(choice_key(label), name)
    return found


def read_fields(
    books: Books, kind: str, texts: Mapping[str, str], readers: Mapping[str, Reader] | None = None
) -> Typed:
    """All texts read, each by its field or its own reader. Raises Usage("values-wrong") with all faults."""
    choices, zone = choices_of(books), ZoneInfo(books.settings.timezone)
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    faults, warnings = [], []
    for name, text in texts.items():
        about = books.dictionary[f"{kind}.{name}"]
        own = (readers or {}).get(name)
        if text.strip() in CLEAR:
            reading: Reading[Any] = Reading()
        else:
            reading = own(text) if own else read_value(about, text, choices, today=books.today, zone=zone)
        if reading.problem:
            faults.append(Noted(about.path, reading.problem, reading.facts))
        elif reading.warning:
            warnings.append(Noted(about.path, reading.warning, reading.facts))
        if about.custom:
            extra[name] = stored(about, reading.value)
        else:
            values[name] = reading.value
    refuse(faults)
    return Typed(values, extra, tuple(warnings))


def refuse(faults: Iterable[Noted]) -> None:
    """Raises Usage("values-wrong") when there are faults."""
    found = tuple(faults)
    if found:
        raise Usage("values-wrong", faults=Faults(found))


# -- who is there already --------------------------------------------------------------------------


def refuse_taken(books: Books, customer: Customer) -> None:
    """Raises Usage("customer-exists") when another customer has this ID number or 统一社会信用代码."""
    probes = []
    if customer.id_number:
        blind = books.blind("customer.id_number", [customer.id_number])[0]
        probes += [Probe(blind_token(blind))] if blind is not None else []
    if customer.uscc:
        probes.append(Probe(f"u:{customer.uscc.lower()}"))
    for probe in probes:
        for other in cast("Iterable[Customer]", books.find(Query(Customer.KIND, search=probe))):
            same = (customer.id_number and other.id_number == customer.id_number) or (
                customer.uscc and other.uscc == customer.uscc
            )
            if same and customer.id not in (other.id, other.merged_into):
                raise Usage("customer-exists", id=other.merged_into or other.id)


# -- shown again -----------------------------------------------------------------------------------


@frozen
class Change:
    """One field of a change that waits: what it is now and what it should be, as the reader may see it."""

    field: str
    before: Any
    after: Any


def changes_in(pending: Pending, record: Entity) -> tuple[Change, ...]:
    """The fields of a waiting change against the record as it is."""
    known = fields_of(KINDS[pending.about_kind])
    return tuple(
        Change(
            known[name].path,
            Said(known[name].path, getattr(record, name)),
            Said(known[name].path, lived(known[name], wanted)),
        )
        for name, wanted in pending.request.items()
        if name in known
    )
