"""The error tree: what went wrong as a code with facts, and the exit status that says so to a script.

    LoanHubError        1    a fault of ours
      Usage             2    the call itself is wrong
      NotFound          4    nothing there by that name
      Waiting           5    a person must decide first (mapping, confirmation, second approval)
      NotAllowed        6    no right to do this, or a wrong passphrase
      Damaged           7    stored bytes are not what was written
      Busy              8    another process holds what is needed; try again
      Stale             8    the record changed since it was read
      Misconfigured     9    settings are missing, unknown or contradict each other
      Refused          10    a file is refused whole
      Interrupted     130    stopped by the user; nothing is lost

A mistake is a *code* (`"password-protected"`); its words in Chinese and English, and the hint that
says what to do next, stand in `config/messages/`. Facts fill the placeholders of those words. They
must never hold a secret, an identity number, a card or a phone number.
"""

from __future__ import annotations

from typing import ClassVar


class LoanHubError(Exception):
    """A fault with a code and facts; `loanhub.texts.say` turns it into words at the edge."""

    exit_status: ClassVar[int] = 1

    def __init__(self, code: str, /, **facts: object) -> None:
        super().__init__(code)
        self.code = code
        self.facts = facts

    def __str__(self) -> str:
        facts = ", ".join(f"{name}={value}" for name, value in self.facts.items())
        return f"{self.code} ({facts})" if facts else self.code

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (type(self), self.code, self.facts)


def _rebuild(kind: type[LoanHubError], code: str, facts: dict[str, object]) -> LoanHubError:
    return kind(code, **facts)


class Usage(LoanHubError):
    """The call itself is wrong."""

    exit_status = 2


class NotFound(LoanHubError):
    """Nothing there by that name."""

    exit_status = 4


class Waiting(LoanHubError):
    """A person must decide before this can go on."""

    exit_status = 5


class NotAllowed(LoanHubError):
    """The principal has no right to do this, or the passphrase is wrong."""

    exit_status = 6


class Damaged(LoanHubError):
    """Stored bytes are not what was written."""

    exit_status = 7


class Busy(LoanHubError):
    """Another process holds what is needed."""

    exit_status = 8


class Stale(Busy):
    """The record changed since it was read."""


class Misconfigured(LoanHubError):
    """Settings are missing, unknown or contradict each other."""

    exit_status = 9


class Refused(LoanHubError):
    """A file is refused whole."""

    exit_status = 10


class Interrupted(LoanHubError):
    """Stopped by the user; what was done stays, the rest can be resumed."""

    exit_status = 130
