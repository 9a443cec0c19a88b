"""The View of one principal: allows an act, narrows a question to its rows and fields, masks an answer.

It fails closed: what it does not know it refuses or hides.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any, Final

import attrs
from attrs import field, frozen

from loanhub.entities import KINDS, Customer, Entity, Loan, Receipt
from loanhub.errors import NotAllowed
from loanhub.fields import BUSINESS, Dictionary, Field, FieldType, fields_of
from loanhub.policy.levels import Level
from loanhub.policy.masks import HIDDEN, Masked, Said, Shown, masked
from loanhub.policy.principal import Permission, Principal
from loanhub.records import BESIDE, META, Query, Test, Where, lived

OF: Final = "loanhub.of"
TOTALS: Final = {Loan.KIND: Receipt.KIND}
"""Kinds whose `extra` has totals of another kind's fields, as a sheet states them."""
LINKS: Final = (("customer_id", Customer.KIND), ("loan_id", Loan.KIND))
"""Fields by which a record belongs to a customer, itself or by its loan."""


def of(*paths: str, **more: Any) -> Any:
    """An attribute of an answer that holds a value of these fields: it is shown as they are (as the least of
    them, where there are several). `of()` holds none, and stands behind those that do.
    """
    return field(metadata={OF: paths}, **more)


@frozen
class View:
    """What one principal gets to see. Without a dictionary there are no custom fields."""

    who: Principal
    dictionary: Dictionary | None = field(default=None, repr=False)

    def allow(self, needs: Permission) -> None:
        """Raises NotAllowed("not-allowed") unless the right is held."""
        if not self.who.may(needs):
            raise NotAllowed("not-allowed", who=self.who.name, needs=needs)

    def narrow(self, q: Query) -> Query:
        """The query within the principal's rows.

        Raises NotAllowed("field-not-yours") when it filters or sorts by a field the principal cannot read:
        the order of an answer tells of a value, too.
        """
        self._refuse_oracles(q)
        conditions = self._rows(q.kind)
        return attrs.evolve(q, where=(*q.where, *conditions)) if conditions else q

    def mask(self, answer: Any) -> Any:
        """The answer with every value as it may be shown; an entity of which any is not becomes a `Shown`."""
        if isinstance(answer, Entity):
            return self._record(answer)
        if isinstance(answer, Said):
            return self.shown(answer.path, answer.value)
        if isinstance(answer, dict):
            return {key: self.mask(value) for key, value in answer.items()}
        if isinstance(answer, (list, tuple, set, frozenset)):
            return type(answer)(map(self.mask, answer))
        if attrs.has(type(answer)) and not isinstance(answer, (Masked, Shown)):
            changes = {
                a.alias: self._told(a, getattr(answer, a.name)) for a in attrs.fields(type(answer)) if a.init
            }
            return attrs.evolve(answer, **changes)
        return answer

    def level(self, path: str) -> Level:
        """How much of a field is shown; nothing of one that nobody declared."""
        about = self._field(path)
        return Level.HIDE if about is None else self.who.sees.level(about)

    def reads(self, *paths: str) -> bool:
        """Whether all these fields are shown whole, so that filters, sorts and totals may use them."""
        return all(self.level(path) is Level.SHOW for path in paths)

    def shown(self, path: str, value: Any) -> Any:
        """A value of the field as it may be shown."""
        about = self._field(path)
        return HIDDEN if about is None else self._covered(about, value)

    def refuse_asking(self, about: Field, op: str) -> None:
        """Raises NotAllowed("field-not-yours") when a question may not use the field."""
        if not self.who.sees.asks(about, op):
            raise NotAllowed("field-not-yours", field=about.path)

    # -- rows ------------------------------------------------------------------------------------------

    def _rows(self, kind: str) -> tuple[Test, ...]:
        """The conditions under which a record of `kind` is within the scope."""
        if self.who.scope.everything:
            return ()
        if kind == Customer.KIND:
            return self.who.scope.conditions
        tests = tuple(
            Test(name, "within", Query(target, self._rows(target))) for name, target in links_of(kind)
        )
        return tests if len(tests) < 2 else (Test("", "any", tests),)

    def _refuse_oracles(self, q: Query) -> None:
        sees = self.who.sees
        if sees.otherwise is None or q.kind not in KINDS:
            return
        for name, op in (*_asked(q.where), (q.order.field, "order")):
            about = asked_field(q.kind, name)
            if about is not None:
                self.refuse_asking(about, op)
        for inner in _within(q.where):
            self._refuse_oracles(inner)

    # -- values ----------------------------------------------------------------------------------------

    def _record(self, record: Entity) -> Entity | Shown:
        known = fields_of(type(record))
        sees, plain, shown = self.who.sees, True, {}
        for name, about in known.items():
            value = getattr(record, name)
            level = sees.level(about)
            if name == "extra":
                value, whole = self._extra(record.KIND, value)
            else:
                whole = level is Level.SHOW or about.type is FieldType.REF
            if whole or name == "extra":
                shown[name] = value
            elif (
                level > Level.HIDE and about.type is not FieldType.JSON
            ):  # a mask is a text, in no place of it
                shown[name] = masked(about, value)
            plain = plain and whole
        return record if plain else Shown(record.KIND, record.id, record.version, shown)

    def _extra(self, kind: str, extra: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """Custom fields, and whether all are shown whole. Without words for it a value is nobody's."""
        shown: dict[str, Any] = {}
        for name, value in extra.items():
            about = self._field(f"{kind}.{name}") or self._field(f"{TOTALS.get(kind)}.{name}")
            level = Level.HIDE if about is None else self.who.sees.level(about)
            if about is not None and level > Level.HIDE:
                living = lived(about, value)
                shown[name] = living if level is Level.SHOW else masked(about, living)
        return shown, shown == extra

    def _told(self, about: attrs.Attribute[Any], value: Any) -> Any:
        paths: tuple[str, ...] = about.metadata.get(OF, ())
        if not paths or isinstance(value, (Masked, Shown)):
            return self.mask(value)
        least = min(paths, key=self.level)
        if isinstance(value, tuple):
            return tuple(self.shown(least, one) for one in value)
        return self.shown(least, value)

    def _covered(self, about: Field, value: Any) -> Any:
        level = self.who.sees.level(about)
        if level is Level.HIDE:
            return HIDDEN
        return value if level is Level.SHOW else masked(about, value)

    def _field(self, path: str) -> Field | None:
        if self.dictionary is not None:
            return self.dictionary.get(path)
        kind, _, name = path.partition(".")
        return fields_of(KINDS[kind]).get(name) if kind in KINDS else None


def _asked(where: Where) -> Iterator[tuple[str, str]]:
    """Fields and how each is asked of, also where questions are put together."""
    for test in where:
        if test.op == "any":
            yield from _asked(test.value)
        else:
            yield test.field, test.op


def _within(where: Where) -> Iterator[Query]:
    """Questions about the records that these refer to."""
    for test in where:
        if test.op == "any":
            yield from _within(test.value)
        elif test.op == "within":
            yield test.value


@cache
def links_of(kind: str) -> tuple[tuple[str, str], ...]:
    """How records of a kind belong to a customer: field and the kind it points to. A record that always
    names its customer belongs by that alone.
    """
    known = fields_of(KINDS[kind]) if kind in KINDS else {}
    found = tuple((name, target) for name, target in LINKS if name in known)
    needed = tuple(link for link in found if getattr(KINDS[kind](), link[0]) == 0)
    return needed[:1] or found


@cache
def asked_field(kind: str, name: str) -> Field | None:
    """The field behind a stored column, if it tells of a person: ids, references and what the house itself
    keeps of its own work do not.
    """
    if name in META or not name:
        return None
    for ending in BESIDE:
        name = name.removesuffix(ending)
    about = fields_of(KINDS[kind]).get(name)
    if about is None or about.type is FieldType.REF:
        return None
    return about if about.imported or about.privacy is not BUSINESS else None
