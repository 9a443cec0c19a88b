"""Which passwords are taken: two profiles, because two authorities ask for opposite things.

`dengbao` is what reviews under 等保 2.0 expect: at least 8 characters of three kinds, another one every 90
days, none of the last five. `modern` is NIST SP 800-63B-4 and OWASP ASVS 5.0: at least 15 characters, nothing
else asked for, never changed without a cause. Under both: none that is common, none made of the person's or
the house's own names.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import cache
from typing import Final

from attrs import frozen

from loanhub.errors import LoanHubError, NotAllowed, Usage
from loanhub.keys import Secret, open_password


@frozen
class Profile:
    """What a password must be. `kinds` of lower case, upper case, digit, other; `age` before a new one."""

    least: int
    kinds: int = 1
    age: timedelta | None = None
    remembered: int = 0


PROFILES: Final = {
    "dengbao": Profile(8, kinds=3, age=timedelta(days=90), remembered=5),
    "modern": Profile(15),
}
LONGEST: Final = 256
"""Characters; more cannot be typed, and costs time."""
SHORTEST_NAME: Final = 3
LOCAL: Final = ("woaini1314", "woaini520", "5201314", "a5201314", "aa123456", "qq123456", "abc@1234")


def check_password(password: Secret, profile: Profile, names: Iterable[str], before: Iterable[str]) -> None:
    """Raises Usage: `password-short`, `password-long`, `password-kinds`, `password-common`, `password-named`,
    `password-used`. `before`: earlier ones, as they are kept.
    """
    text = password.text() or ""
    if len(text) < profile.least:
        raise Usage("password-short", least=profile.least)
    if len(text) > LONGEST:
        raise Usage("password-long", most=LONGEST)
    if _kinds(text) < profile.kinds:
        raise Usage("password-kinds", kinds=profile.kinds)
    plain = _plain(text)
    if plain in common_passwords() or len(set(plain)) < SHORTEST_NAME:
        raise Usage("password-common")
    if any(len(_plain(name)) >= SHORTEST_NAME and _plain(name) in plain for name in names):
        raise Usage("password-named")
    if any(_opens(kept, password) for kept in list(before)[-profile.remembered :] if profile.remembered):
        raise Usage("password-used", count=profile.remembered)


def is_old(profile: Profile, since: datetime | None, now: datetime) -> bool:
    """Whether a new one must be chosen at the next sign-in."""
    return profile.age is not None and (since is None or now - since >= profile.age)


@cache
def common_passwords() -> frozenset[str]:
    """Passwords that everybody tries first, in the form they are compared: 30,000 that were found in leaks
    (in zxcvbn's list), and what is typed first in Chinese offices.
    """
    from zxcvbn.frequency_lists import FREQUENCY_LISTS

    leaked: str | Iterable[str] = FREQUENCY_LISTS["passwords"]
    listed = leaked.split(",") if isinstance(leaked, str) else leaked
    return frozenset(_plain(word) for word in (*listed, *LOCAL))


def _kinds(text: str) -> int:
    tests = (str.islower, str.isupper, str.isdigit)
    other = any(not any(test(c) for test in tests) for c in text)
    return sum(any(map(test, text)) for test in tests) + other


def _plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).casefold()


def _opens(kept: str, password: Secret) -> bool:
    try:
        open_password(kept, password)
    except NotAllowed:
        return False
    except LoanHubError:  # a damaged one is nobody's
        return False
    return True
