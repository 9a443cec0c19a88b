"""Adds and changes customers from values as people write them, with the checks of ingestion."""

from __future__ import annotations

from typing import Any, Final

from attrs import evolve, frozen

from loanhub.acts import Books, Facts, param
from loanhub.entities import Customer
from loanhub.errors import Stale, Usage
from loanhub.fields import WriteRule, fields_of
from loanhub.identifiers import birth_of, gender_of, read_resident_id, read_uscc
from loanhub.readings import Reading
from loanhub.readings.plain import read_text
from loanhub.services.people.person import Saved, open_customer
from loanhub.values import (
    Noted,
    Typed,
    choices_of,
    field_named,
    read_fields,
    refuse,
    refuse_taken,
    typed_texts,
)

OF_CHINA: Final = (None, "resident_id", "foreigner_pr", "uscc")
"""Kinds of papers whose numbers have check digits; all others are taken as they are."""
PASSPORT_LENGTH: Final = (5, 30)


@frozen
class AddCustomer:
    """Add a customer; `set` takes any other field, as `field=value`."""

    name: str = param(argument=True, private=True)
    id_number: str | None = param(default=None, private=True)
    mobile: str | None = param(default=None, private=True)
    customer_type: str | None = param(default=None)
    address: str | None = param(default=None, private=True)
    manager: str | None = param(default=None)
    branch: str | None = param(default=None)
    set: tuple[str, ...] = param(default=(), many=True, private=True)


@frozen
class EditCustomer:
    """Change fields of a customer (`field=value`), or clear them. `version`: only if it still is this one."""

    id: int = param(argument=True)
    set: tuple[str, ...] = param(default=(), many=True, private=True)
    clear: tuple[str, ...] = param(default=(), many=True)
    version: int | None = param(default=None)


def add(books: Books, request: AddCustomer) -> Facts[Saved]:
    """A new customer; nothing waits, first values are written at once.

    Raises Usage("values-wrong") with all faults, Usage("customer-exists") naming who has the ID already.
    """
    common = ("name", "id_number", "mobile", "customer_type", "address", "manager", "branch")
    given = {name: getattr(request, name) for name in common}
    texts = typed_texts(books, Customer.KIND, request.set, given)
    typed = _read(books, texts, Customer())
    customer = evolve(typed.onto(Customer()), id=books.allot(Customer.KIND))
    if not customer.name:
        raise Usage("field-needed", field="customer.name")
    refuse_taken(books, customer)
    answer = Saved(customer.id, 1, warnings=typed.warnings)
    return Facts(answer, (customer,), about=f"customer:{customer.id}")


def edit(books: Books, request: EditCustomer) -> Facts[Saved]:
    """A changed customer; the desk lets reviewed fields wait and answers their ids.

    Raises what `add` does, Stale("record-changed") when the version asked for is past.
    """
    old = open_customer(books, request.id)
    if request.version is not None and request.version != old.version:
        raise Stale("record-changed", kind=Customer.KIND, id=old.id)
    texts = typed_texts(books, Customer.KIND, request.set, {})
    for called in request.clear:
        name = field_named(books, Customer.KIND, called).name
        if name in texts:
            raise Usage("field-twice", field=name)
        texts[name] = "#clear"
    if not texts:
        raise Usage("nothing-to-change")
    typed = _read(books, texts, old)
    new = typed.onto(old)
    if not new.name:
        raise Usage("field-needed", field="customer.name")
    if (new.id_number, new.uscc) != (old.id_number, old.uscc):
        refuse_taken(books, new)
    about = f"customer:{old.id}"
    if new == old:
        return Facts(Saved(old.id, old.version, warnings=typed.warnings), about=about)
    answer = Saved(old.id, old.version + _writes_at_once(old, new), warnings=typed.warnings)
    return Facts(answer, (new,), about=about)


def _writes_at_once(old: Customer, new: Customer) -> bool:
    """Whether the record itself changes now: by a field that need not wait, or because a sealed value is
    sealed afresh whenever its record is put.
    """
    for name, about in fields_of(Customer).items():
        before, after = getattr(old, name), getattr(new, name)
        if about.sealed and before is not None:
            return True
        if before != after and (about.write is not WriteRule.REVIEWED or before is None):
            return True
    return False


def _read(books: Books, texts: dict[str, str], known: Customer) -> Typed:
    """The texts as values, with number, birth date and gender held against each other."""
    texts = dict(texts)
    if "id_number" in texts and "uscc" not in texts and _is_company_code(texts["id_number"]):
        texts["uscc"] = texts.pop("id_number")
    id_type = known.id_type
    if "id_type" in texts:
        id_type = choices_of(books)["id_type"].read(texts["id_type"]).value

    def number(text: str) -> Reading[Any]:
        if id_type in OF_CHINA:
            return read_resident_id(text, today=books.today)
        least, most = PASSPORT_LENGTH
        return read_text(text, least=least, most=most)

    # An empty name is no value, and clearing it is answered with what is needed.
    typed = read_fields(books, Customer.KIND, texts, {"id_number": number})
    typed = evolve(typed, values={n: "" if n == "name" and v is None else v for n, v in typed.values.items()})
    refuse(_against_number(typed.onto(known), set(typed.values)))
    return typed


def _is_company_code(text: str) -> bool:
    return not read_resident_id(text).ok and read_uscc(text).ok


def _against_number(customer: Customer, touched: set[str]) -> list[Noted]:
    """Birth date and gender must be those of the ID number, as soon as one of the three is touched."""
    number = customer.id_number
    if not touched & {"id_number", "id_type", "birth_date", "gender"} or customer.id_type not in OF_CHINA:
        return []
    if not number or not read_resident_id(number).ok:
        return []
    born = birth_of(number)
    found = []
    if customer.birth_date is not None and customer.birth_date != born:
        found.append(Noted("customer.birth_date", "birth-id-mismatch"))
    if customer.gender in ("M", "F") and customer.gender != gender_of(number):
        found.append(Noted("customer.gender", "gender-id-mismatch"))
    return found
