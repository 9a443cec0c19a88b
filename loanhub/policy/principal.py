"""Principals: who acts, with which rights, over which rows."""

from __future__ import annotations

from typing import Final

import attrs
from attrs import frozen

from loanhub.fields import SECRET, Field
from loanhub.policy.levels import HOST, Sight
from loanhub.records import Test, Where

Permission = str
"""`kind.verb`: customer.read, customer.write, batch.undo, ...; `*` holds all, `customer.*` all of a kind."""


@frozen
class Scope:
    """Whose customers somebody works with: everybody's, or those of some managers and of some branches."""

    everything: bool = False
    managers: frozenset[str] = frozenset()
    branches: frozenset[str] = frozenset()

    @classmethod
    def read(cls, told: Scope | str) -> Scope:
        """A scope as settings state it: `all`, `branch:NAME` or `manager:NAME`; all else is nobody's."""
        if isinstance(told, Scope):
            return told
        word, _, name = told.partition(":")
        if word == "branch":
            return cls(branches=frozenset({name}))
        if word == "manager":
            return cls(managers=frozenset({name}))
        return cls(everything=told == "all")

    def covers(self, manager: str | None, branch: str | None) -> bool:
        """Whether a customer of that manager and branch is within it."""
        return self.everything or manager in self.managers or branch in self.branches

    def with_(self, other: Scope) -> Scope:
        """Both together."""
        everything = self.everything or other.everything
        return Scope(everything, self.managers | other.managers, self.branches | other.branches)

    @property
    def conditions(self) -> Where:
        """What a customer's record must say; nothing for everybody's."""
        if self.everything:
            return ()
        named = (("manager", self.managers), ("branch", self.branches))
        tests = tuple(Test(field, "in", tuple(sorted(names))) for field, names in named if names)
        return tests if len(tests) == 1 else (Test("", "any", tests),)


ALL: Final = Scope(everything=True)


def _scope(told: Scope | str) -> Scope:
    return Scope.read(told)


@frozen
class Principal:
    """Somebody who acts: a login name, the role or roles (`officer+approver`), the rights held, the rows and
    the fields seen. `reveals`: paths of fields that may be asked for in plain, with a reason. `via`: host,
    system, `drop:FOLDER`, cli, api, web. `session` is a short name of the sign-in, never its secret.
    """

    name: str
    role: str
    rights: frozenset[Permission]
    scope: Scope = attrs.field(default=ALL, converter=_scope)
    via: str = "host"
    sees: Sight = attrs.field(default=HOST, repr=False)
    session: str = ""
    address: str = ""
    reveals: frozenset[str] = frozenset()

    def may(self, needs: Permission) -> bool:
        """Whether the right is held, itself or by a wildcard."""
        rights = self.rights
        return needs in rights or f"{needs.partition('.')[0]}.*" in rights or "*" in rights

    def may_reveal(self, about: Field) -> bool:
        """Whether the field may be asked for in plain: whoever has no role on a host may ask for any."""
        return about.privacy is not SECRET and (self.sees.otherwise is None or about.path in self.reveals)


def host_operator(name: str) -> Principal:
    """Whoever opens a home without accounts on its host, by its passphrase."""
    return Principal(name, "host-operator", frozenset({"*"}))


def system(job: str) -> Principal:
    """The house itself at work, for a job that nobody started by hand."""
    return Principal(f"system:{job}", "system", frozenset({"*"}), via="system")
