"""The home folder and its settings: typed TOML, read fail-closed, with the defaults that LoanHub ships.

HOME/loanhub.toml     the institution's own settings, over those of `config/loanhub.toml`
HOME/words.toml       its own names for fields and headers, over those of `config/words.toml`
HOME/keys/ data/      the keyring; the encrypted database
HOME/drop/ returns/   where sheets are dropped; where the answer to the clerk lies
HOME/archive/ documents/   originals and papers, sealed
HOME/plugins/         single-file plugins
HOME/processing/ tmp/ letters/   files at work; scratch, emptied at start; letters written
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final, TypeVar

import attrs
import cattrs
import tomli_w
from attrs import frozen
from cattrs import transform_error
from cattrs.gen import make_dict_structure_fn

from loanhub.entities import ENTITIES, KINDS
from loanhub.errors import Misconfigured
from loanhub.fields import Dictionary, Field, FieldType, Privacy, WriteRule
from loanhub.files import write_atomically
from loanhub.home import Home

S = TypeVar("S")

CLERK: Final[tuple[str, ...]] = (
    "customer.write",
    "relation.write",
    "loan.write",
    "instalment.write",
    "receipt.write",
    "credit.write",
    "follow_up.write",
    "collateral.write",
    "batch.write",
)


def _clerk() -> list[str]:
    return list(CLERK)


@frozen(kw_only=True)
class Drop:
    """A drop folder: who owns it, what that owner may write, and which rows.

    `scope`: `all` or `branch:NAME`. `rights`: permissions such as `customer.write`. `poll`: a share
    that sends no events is looked at every few seconds instead.
    """

    folder: str
    owner: str
    role: str = "clerk"
    scope: str = "all"
    rights: list[str] = attrs.field(factory=_clerk)
    poll: bool = False


@frozen(kw_only=True)
class Intake:
    """How files are taken in. Times in seconds, sizes in rows and megabytes."""

    settle: float = 2.0
    every: float = 10.0
    chunk: int = 4_000
    read_memory_mb: int = 1_500
    read_seconds: int = 900
    report_days: int = 14
    rate_cap: str = "0.36"
    age_from: int = 18
    age_to: int = 65


@frozen(kw_only=True)
class CustomField:
    """A field of the institution's own: `[[fields.custom]]`."""

    kind: str
    name: str
    type: FieldType
    label_zh: str
    label_en: str
    aliases: list[str] = attrs.field(factory=list)
    privacy: Privacy = Privacy.BUSINESS
    write: WriteRule = WriteRule.FREE


@frozen(kw_only=True)
class FieldSettings:
    """Fields switched off, added, and required by product (`"*"`: every loan)."""

    off: list[str] = attrs.field(factory=list)
    custom: list[CustomField] = attrs.field(factory=list)
    required: dict[str, list[str]] = attrs.field(factory=dict)


@frozen(kw_only=True)
class PluginSettings:
    """Plugins switched off by name, and settings of plugins by name."""

    disabled: list[str] = attrs.field(factory=list)
    settings: dict[str, dict[str, Any]] = attrs.field(factory=dict)


@frozen(kw_only=True)
class Settings:
    """All settings of a home."""

    institution: str = ""
    lang: str = "zh"
    timezone: str = "Asia/Shanghai"
    store: str = "sqlite"
    start: str = "ask"
    """How the home is unlocked without a person: `ask`, `file:PATH` of a key file, or `service`."""
    passwords: str = ""
    """The profile of passwords: dengbao or modern; empty: dengbao in Chinese homes, modern in others."""
    drop: list[Drop] = attrs.field(factory=list)
    intake: Intake = attrs.field(factory=Intake)
    fields: FieldSettings = attrs.field(factory=FieldSettings)
    plugins: PluginSettings = attrs.field(factory=PluginSettings)


def read(home: Home) -> Settings:
    """The home's settings over the defaults. Raises Misconfigured naming file and key."""
    merged = merge(default("loanhub.toml"), _toml(home.settings_file))
    return structure(Settings, merged, home.settings_file.name)


def write(home: Home, values: Mapping[str, Any]) -> None:
    """Write the home's own settings (only what differs from the defaults)."""
    write_atomically(home.settings_file, tomli_w.dumps(dict(values)).encode())


def structure(kind: type[S], values: Mapping[str, Any], where: str) -> S:
    """Typed settings from TOML; unknown keys and wrong types are named, not ignored."""
    try:
        return _converter().structure(values, kind)
    except cattrs.BaseValidationError as error:
        faults = "; ".join(transform_error(error))
        raise Misconfigured("settings-wrong", file=where, faults=faults) from None


@cache
def _converter() -> cattrs.Converter:
    converter = cattrs.Converter(forbid_extra_keys=True, detailed_validation=True)
    for kind in (Settings, Drop, Intake, FieldSettings, CustomField, PluginSettings):
        converter.register_structure_hook(
            kind, make_dict_structure_fn(kind, converter, _cattrs_forbid_extra_keys=True)
        )
    return converter


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged key by key; anything else replaced."""
    merged = dict(base)
    for key, value in over.items():
        old = merged.get(key)
        both = isinstance(old, Mapping) and isinstance(value, Mapping)
        merged[key] = merge(old, value) if both else value  # type: ignore[arg-type]
    return merged


@cache
def _default(name: str) -> dict[str, Any]:
    return tomllib.loads((files("loanhub_defaults") / name).read_text(encoding="utf-8"))


def default(name: str) -> dict[str, Any]:
    """A settings file that LoanHub ships."""
    return _default(name)


def _toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Misconfigured("settings-unreadable", file=path.name, reason=str(error)) from None


def config(home: Home, name: str) -> dict[str, Any]:
    """A settings file such as `words.toml` or `rating.toml`: the home's over the shipped one."""
    return merge(default(name), _toml(home / name))


def dictionary(settings: Settings, plugin_fields: list[Field]) -> Dictionary:
    """The field dictionary of a home. Raises Misconfigured for an unknown kind or a taken name."""
    own = [
        Field(kind=_kind(c), name=c.name, type=c.type, privacy=c.privacy, write=c.write)
        for c in settings.fields.custom
    ]
    required = {product: frozenset(paths) for product, paths in settings.fields.required.items()}
    try:
        return Dictionary.build(ENTITIES, [*own, *plugin_fields], settings.fields.off, required)
    except ValueError as error:
        raise Misconfigured("settings-wrong", file="loanhub.toml", faults=str(error)) from None


def _kind(custom: CustomField) -> str:
    if custom.kind not in KINDS or not hasattr(KINDS[custom.kind](), "extra"):
        faults = f"fields.custom {custom.name}: kind {custom.kind} takes no custom fields"
        raise Misconfigured("settings-wrong", file="loanhub.toml", faults=faults)
    return custom.kind
