"""What one run of the command line was told, and the home it works on once somebody asks for it."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from attrs import define, field, frozen

from loanhub.errors import LoanHubError, Usage
from loanhub.texts import LANGS, Lang, Message, render

if TYPE_CHECKING:
    from loanhub.cli.progress import Meter
    from loanhub.desk import Desk
    from loanhub.institution import Institution
    from loanhub.keys import Secret
    from loanhub.words import Words

FLAGS: Final = {"--json": "json", "--yes": "yes", "-y": "yes", "--no-color": "plain"}
VALUES: Final = {"--home": "home", "--lang": "lang"}
DEFAULT_LANG: Final[Lang] = "zh"


@frozen
class Wishes:
    """The options that every command has, wherever they stood; `fault` when one of them is wrong."""

    json: bool = False
    yes: bool = False
    plain: bool = False
    home: str = ""
    lang: str = ""
    fault: LoanHubError | None = None

    @classmethod
    def of(cls, argv: Sequence[str]) -> tuple[Wishes, list[str]]:
        """The common options in `argv`, and the rest of it; what stands behind `--` is left alone."""
        told: dict[str, str | bool] = {}
        rest: list[str] = []
        fault: LoanHubError | None = None
        words = iter(argv)
        for word in words:
            name, sign, value = word.partition("=")
            if word == "--":
                rest += [word, *words]
            elif word in FLAGS:
                told[FLAGS[word]] = True
            elif name in VALUES:
                value = value if sign else next(words, "")
                if not value or (value.startswith("--") and not sign):
                    fault = Usage("usage-option-value", option=name)
                    told |= {FLAGS[value]: True} if value in FLAGS else {}
                else:
                    told[VALUES[name]] = value
            else:
                rest.append(word)
        return cls(fault=fault, **told), rest  # type: ignore[arg-type]


@define
class Session:
    """One run. The home is opened when first asked for, and closed at the end."""

    wishes: Wishes
    home: Path
    lang: Lang
    warnings: list[Message] = field(factory=list)
    help: str = ""
    typed: Secret | None = field(default=None, repr=False)
    """What a person was asked for to open the home; the backup agent of `up` gets it."""
    _house: Institution | None = field(default=None, repr=False)
    _words: Words | None = field(default=None, repr=False)

    @classmethod
    def of(cls, wishes: Wishes) -> Session:
        """Home and language as told by option, environment or the home itself. Raises nothing."""
        home = _home(wishes)
        told = (wishes.lang, os.environ.get("LOANHUB_LANG", ""), _home_lang(home))
        # The system's locale is not asked: a server's says C or en_US whoever sits before it.
        return cls(wishes, home, next(filter(None, map(_lang, told)), DEFAULT_LANG))

    def check(self) -> None:
        """Raises Usage when a common option is wrong."""
        if self.wishes.fault is not None:
            raise self.wishes.fault
        for told in (self.wishes.lang, os.environ.get("LOANHUB_LANG", "")):
            if told and _lang(told) is None:
                raise Usage("usage-lang")

    # -- the home --------------------------------------------------------------------------------------

    @property
    def house(self) -> Institution:
        """The home, opened. Raises Misconfigured, NotAllowed, Damaged, Busy."""
        if self._house is None:
            from loanhub.cli.signing import sign_in_again
            from loanhub.cli.unlocking import unlock
            from loanhub.institution import Institution

            self._house = Institution.open(self.home, unlock=lambda: unlock(self))
            sign_in_again(self._house)
            self._tell_failed(self._house)
        return self._house

    def adopt(self, house: Institution) -> None:
        """Work on a home that is open already (made by `init`)."""
        self._house = house

    @property
    def desk(self) -> Desk:
        """The desk of whoever runs the command."""
        return self.house.desk()

    @property
    def words(self) -> Words:
        """What people of this home call things."""
        if self._words is None:
            from loanhub.words import Words

            self._words = Words.of(self.house.home, self.house.settings, self.house.dictionary)
        return self._words

    def close(self) -> None:
        """Let go of the home."""
        if self._house is not None:
            self._house.close()
            self._house = None

    def _tell_failed(self, house: Institution) -> None:
        for plugin in house.plugins.found.values():
            if plugin.state == "failed":
                self.warnings.append(self.say("plugin-failed", name=plugin.name, reason=plugin.reason))

    # -- words -----------------------------------------------------------------------------------------

    def say(self, code: str, /, **facts: object) -> Message:
        """A message in the reader's language."""
        return render(code, self.lang, **facts)

    def warn(self, code: str, /, **facts: object) -> None:
        """A warning of the envelope."""
        self.warnings.append(self.say(code, **facts))

    # -- the terminal ----------------------------------------------------------------------------------

    @property
    def asks(self) -> bool:
        """Whether somebody sits there who can be asked."""
        return not self.wishes.yes and sys.stdin is not None and sys.stdin.isatty()

    @property
    def colour(self) -> bool:
        """Whether colours are wanted (they are shown on a terminal only)."""
        return not self.wishes.plain and not os.environ.get("NO_COLOR")

    def meter(self) -> Meter:
        """A progress bar on stderr; it shows on a terminal only."""
        from loanhub.cli.progress import Meter

        return Meter(self.lang, colour=self.colour)


def _home(wishes: Wishes) -> Path:
    told = wishes.home or os.environ.get("LOANHUB_HOME", "")
    return Path(told).expanduser().absolute() if told else Path.home() / "LoanHub"


def _lang(told: str) -> Lang | None:
    """Zh or en of `zh`, `zh_CN.UTF-8`, `en-US`; None for anything else."""
    short = told.strip().lower().replace("-", "_").partition(".")[0].partition("_")[0]
    return next((lang for lang in LANGS if lang == short), None)


def _home_lang(home: Path) -> str:
    """The language a home was set to, read without opening it; faults in the file are told later."""
    try:
        told = tomllib.loads((home / "loanhub.toml").read_text(encoding="utf-8-sig")).get("lang", "")
    except (OSError, ValueError):
        return ""
    return told if isinstance(told, str) else ""
