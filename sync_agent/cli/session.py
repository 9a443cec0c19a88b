"""What one run was told: the options that every command has, the language, who sits there."""

from __future__ import annotations

import os
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import define, field, frozen

from loanhub import LANGS, Lang, LoanHubError, Message, Misconfigured, Secret, Usage, render

FLAGS: Final = {
    "--json": "json",
    "--yes": "yes",
    "-y": "yes",
    "--no-color": "plain",
    "--no-secret": "no_secret",
}
VALUES: Final = {
    "--vault": "vault",
    "--passphrase-file": "passphrase_file",
    "--key-file": "key_file",
    "--home": "home",
    "--config": "config",
    "--lang": "lang",
}
VAULT: Final = "LOANHUB_SYNC_VAULT"
DEFAULT_LANG: Final[Lang] = "zh"


@frozen
class Wishes:
    """The common options, wherever they stood; `fault` when one of them is wrong."""

    json: bool = False
    yes: bool = False
    plain: bool = False
    no_secret: bool = False
    vault: str = ""
    passphrase_file: str = ""
    key_file: str = ""
    home: str = ""
    config: str = ""
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
    """One run: what it was told, and what it has to say besides its answer."""

    wishes: Wishes
    lang: Lang
    warnings: list[Message] = field(factory=list)
    help: str = ""
    home: Path | None = None
    """The LoanHub home whose keyring opens the vault; None: the vault opens by its own."""
    secret: Secret | None = field(default=None, repr=False)
    """What opened the vault, once somebody said it."""

    @classmethod
    def of(cls, wishes: Wishes) -> Session:
        """Language as told by option, environment or the home itself. Raises nothing."""
        home = Path(wishes.home).expanduser().absolute() if wishes.home else None
        told = (wishes.lang, os.environ.get("LOANHUB_LANG", ""), _home_lang(home))
        return cls(wishes, next(filter(None, map(_lang, told)), DEFAULT_LANG), home=home)

    def check(self) -> None:
        """Raises Usage when a common option is wrong."""
        if self.wishes.fault is not None:
            raise self.wishes.fault
        for told in (self.wishes.lang, os.environ.get("LOANHUB_LANG", "")):
            if told and _lang(told) is None:
                raise Usage("usage-lang")

    @property
    def address(self) -> str:
        """Where the vault is: `--vault`, else LOANHUB_SYNC_VAULT. Raises Misconfigured `sync-no-vault`."""
        told = self.wishes.vault or os.environ.get(VAULT, "")
        if not told:
            raise Misconfigured("sync-no-vault")
        return told

    def say(self, code: str, /, **facts: object) -> Message:
        """A message in the reader's language."""
        return render(code, self.lang, **facts)

    def warn(self, code: str, /, **facts: object) -> None:
        """A warning of the envelope."""
        self.warnings.append(self.say(code, **facts))

    @property
    def asks(self) -> bool:
        """Whether somebody sits there who can be asked."""
        return not self.wishes.yes and sys.stdin is not None and sys.stdin.isatty()

    @property
    def colour(self) -> bool:
        """Whether colours are wanted (they are shown on a terminal only)."""
        return not self.wishes.plain and not os.environ.get("NO_COLOR")


def _lang(told: str) -> Lang | None:
    """Zh or en of `zh`, `zh_CN.UTF-8`, `en-US`; None for anything else."""
    short = told.strip().lower().replace("-", "_").partition(".")[0].partition("_")[0]
    return next((lang for lang in LANGS if lang == short), None)


def _home_lang(home: Path | None) -> str:
    """The language a home was set to; faults in its settings are told by whoever opens it."""
    if home is None:
        return ""
    try:
        told = tomllib.loads((home / "loanhub.toml").read_text(encoding="utf-8-sig")).get("lang", "")
    except (OSError, ValueError):
        return ""
    return told if isinstance(told, str) else ""
