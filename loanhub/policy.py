"""Who may see and do what: a principal, the permissions it holds, and the View that masks.

Until the home has accounts there is one principal with all rights, the host operator; a drop folder acts
as its owner with the rights its configuration gives. Sensitive values are masked for everybody: a reveal
is an act of its own with a reason and an audit line.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs
from attrs import frozen

from loanhub import identifiers
from loanhub.entities import Entity
from loanhub.errors import NotAllowed
from loanhub.fields import BUSINESS, SENSITIVE, Field, FieldType, fields_of
from loanhub.records import Query, Test

Permission = str
"""`kind.verb`: customer.read, customer.write, batch.undo, ...; `*` holds all, `customer.*` all of a kind."""

ALL: Final = "all"


@frozen
class Principal:
    """Somebody who acts: a name, a role, the rights held and the scope of rows (`all` or `branch:NAME`)."""

    name: str
    role: str
    rights: frozenset[Permission]
    scope: str = ALL
    via: str = "host"

    def may(self, needs: Permission) -> bool:
        """Whether the right is held, itself or by a wildcard."""
        kind = needs.split(".", 1)[0]
        return bool(self.rights & {needs, f"{kind}.*", "*"})

    def sees_branch(self, branch: str | None) -> bool:
        """Whether a row of `branch` is within the scope."""
        return self.scope in (ALL, f"branch:{branch}")


def host_operator(name: str) -> Principal:
    """Whoever opens a home without accounts on its host, by its passphrase."""
    return Principal(name, "host-operator", frozenset({"*"}))


def system(job: str) -> Principal:
    """The house itself at work, for a job that nobody started by hand."""
    return Principal(f"system:{job}", "system", frozenset({"*"}), via="system")


@frozen
class Masked:
    """A value that is not shown; `text` is what may be seen of it."""

    text: str

    def __str__(self) -> str:
        return self.text


def _hidden(_: str) -> str:
    return "***"


MASKS: Final[Mapping[FieldType, Callable[[str], str]]] = {
    FieldType.RESIDENT_ID: identifiers.mask_id,
    FieldType.MOBILE: identifiers.mask_mobile,
    FieldType.PHONE: identifiers.mask_phone,
    FieldType.CARD: identifiers.mask_card,
    FieldType.EMAIL: identifiers.mask_email,
    FieldType.ADDRESS: identifiers.mask_address,
    FieldType.NAME: identifiers.mask_name,
}


def maskable(about: Field) -> bool:
    """Whether values of the field are hidden until revealed."""
    return about.privacy is SENSITIVE and about.type in MASKS


def mask(about: Field, value: Any) -> Any:
    """The value as a `Masked` when its field is sensitive and has a mask; else the value."""
    if value is None or not maskable(about):
        return value
    return Masked(MASKS[about.type](str(value)))


@frozen
class View:
    """What one principal gets to see; fails closed."""

    who: Principal

    def allow(self, needs: Permission) -> None:
        """Raises NotAllowed("not-allowed") unless the right is held."""
        if not self.who.may(needs):
            raise NotAllowed("not-allowed", who=self.who.name, needs=needs)

    def narrow(self, q: Query) -> Query:
        """The query within the principal's scope: customers of its branch."""
        if self.who.scope == ALL or q.kind != "customer":
            return q
        branch = self.who.scope.removeprefix("branch:")
        return attrs.evolve(q, where=(*q.where, Test("branch", "eq", branch)))

    def mask(self, answer: Any) -> Any:
        """The answer with every sensitive value masked; an entity that has any becomes a `Shown`."""
        return _mask(answer, self)

    def readable(self, about: Field) -> bool:
        """Whether filters, sorts and searches may use the field."""
        return about.privacy is BUSINESS or self.who.may(f"{about.kind}.read")


def _mask(answer: Any, view: View) -> Any:
    if isinstance(answer, Entity):
        if not any(maskable(about) for about in fields_of(type(answer)).values()):
            return answer
        shown = {name: mask(about, getattr(answer, name)) for name, about in fields_of(type(answer)).items()}
        return Shown(answer.KIND, answer.id, answer.version, shown)
    if isinstance(answer, dict):
        return {key: _mask(value, view) for key, value in answer.items()}
    if isinstance(answer, (list, tuple)):
        return type(answer)(_mask(value, view) for value in answer)
    if attrs.has(type(answer)) and not isinstance(answer, (Masked, Shown)):
        changes = {a.name: _mask(getattr(answer, a.name), view) for a in attrs.fields(type(answer))}
        return attrs.evolve(answer, **{k.lstrip("_"): v for k, v in changes.items()})
    return answer


@frozen
class Shown:
    """A record as a principal may see it: sensitive values are `Masked`."""

    kind: str
    id: int
    version: int
    values: Mapping[str, Any] = attrs.field(repr=False)

    def __getitem__(self, name: str) -> Any:
        return self.values[name]
