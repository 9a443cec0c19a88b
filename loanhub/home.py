"""The folder of an institution: where everything in it lies. Nothing in it is read here."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from attrs import frozen

FOLDERS: Final = (
    "keys",
    "data",
    "drop",
    "returns",
    "archive",
    "documents",
    "plugins",
    "processing",
    "tmp",
    "letters",
)


@frozen
class Home:
    """Where everything of an institution lies."""

    root: Path

    def __truediv__(self, name: str) -> Path:
        return self.root / name

    @property
    def settings_file(self) -> Path:
        """`loanhub.toml`."""
        return self.root / "loanhub.toml"

    @property
    def keyring(self) -> Path:
        """The keyring file."""
        return self.root / "keys" / "keyring.json"

    @property
    def exists(self) -> bool:
        """Whether this folder is a home."""
        return self.settings_file.is_file() and self.keyring.is_file()
