"""Find, load and guard plugins: one door for core services, first-party packages, strangers' packages and
single files in the home's `plugins` folder.

Named things are asked for once and kept as objects. A plugin that fails is switched off by name with its
reason, and the others go on; two things of one name refuse the later one.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pluggy
from attrs import define, field, frozen

from loanhub import hookspecs
from loanhub.errors import LoanHubError

if TYPE_CHECKING:
    from loanhub.acts import Act
    from loanhub.audit import Line
    from loanhub.keys import SlotKind
    from loanhub.kinds import Backup, Channel, Format, RemoteKind, Rule, StoreKind

R = TypeVar("R")

GROUP: Final = "loanhub"
NAMED: Final = ("fields", "formats", "rules", "channels", "stores", "remotes", "slots", "acts", "backups")
SINGULAR: Final[dict[str, str]] = {name: name.removesuffix("s") for name in NAMED}


@frozen
class Plugin:
    """One plugin as `loanhub plugins` shows it. `state`: ok, disabled or failed; `reason` says why."""

    name: str
    kind: str
    version: str
    state: str
    reason: str = ""


@frozen
class Failure:
    """What a guarded call came to when the plugin raised: whose fault, and its class; never its words,
    which may quote data.
    """

    plugin: str
    error: str


@define
class Plugins:
    """All plugins of a home, and what they registered."""

    found: dict[str, Plugin] = field(factory=dict)
    _named: dict[str, list[tuple[str, Any]]] = field(factory=lambda: {name: [] for name in NAMED})
    _manager: pluggy.PluginManager = field(factory=lambda: pluggy.PluginManager(hookspecs.PROJECT))

    @classmethod
    def load(cls, folder: Path | None = None, disabled: Iterable[str] = (), *, like: str = "") -> Plugins:
        """Load every entry point of group `loanhub`, then each file of `folder` in order of name.

        `like`: only entry points whose names begin so, such as `loanhub_remote_`.
        """
        self = cls()
        self._manager.add_hookspecs(hookspecs)
        off = frozenset(disabled)
        for point in sorted(entry_points(group=GROUP), key=lambda p: p.name):
            if point.name.startswith(like):
                self._admit(point.name, _version(point), point.load, off)
        for path in sorted(folder.glob("*.py")) if folder and folder.is_dir() else ():
            self._admit(path.stem, "file", partial(_module, path), off)
        return self

    def register(self, name: str, plugin: object) -> None:
        """Take in an object with hook implementations (tests and programs that embed LoanHub)."""
        self._admit(name, "object", lambda: plugin, frozenset())

    def _admit(self, name: str, version: str, load: Callable[[], object], off: frozenset[str]) -> None:
        if name in off:
            self.found[name] = Plugin(name, "", version, "disabled", "switched off in loanhub.toml")
            return
        try:
            plugin = load()
            kinds = self._register(name, plugin)
        except Exception as error:  # a stranger's code: whatever it raises, the others go on
            self._manager.unregister(name=name)
            reason = error.code if isinstance(error, LoanHubError) else f"{type(error).__name__}: {error}"
            self.found[name] = Plugin(name, "", version, "failed", reason)
            return
        self.found[name] = Plugin(name, ", ".join(kinds), version, "ok")

    def _register(self, name: str, plugin: object) -> list[str]:
        self._manager.register(plugin, name)
        hooks = self._manager.get_hookcallers(plugin) or []
        unknown = sorted(h.name for h in hooks if not h.has_spec())
        if unknown:
            raise ValueError(f"no such hook: {', '.join(unknown)}")
        offered: list[tuple[str, Any]] = []
        for hook in hooks:
            if hook.name in NAMED:
                own = [i for i in hook.get_hookimpls() if i.plugin is plugin]
                offered += [(hook.name, thing) for i in own for thing in _things(i.function)]
        self._refuse_duplicates(offered)
        for kind, thing in offered:
            self._named[kind].append((name, thing))
        return [SINGULAR.get(h.name, h.name) for h in hooks]

    def _refuse_duplicates(self, offered: list[tuple[str, Any]]) -> None:
        taken = {(kind, _name(thing)): owner for kind in NAMED for owner, thing in self._named[kind]}
        for kind, thing in offered:
            if (kind, _name(thing)) in taken:
                owner = taken[kind, _name(thing)]
                raise ValueError(f"{SINGULAR[kind]} {_name(thing)} is registered already, by {owner}")
            taken[kind, _name(thing)] = "this plugin"

    def _of(self, kind: str) -> list[Any]:
        return [thing for _, thing in self._named[kind]]

    @property
    def formats(self) -> list[Format]:
        """File formats."""
        return self._of("formats")

    @property
    def rules(self) -> list[Rule]:
        """Rating rules, in order of id: the order of loading never matters."""
        return sorted(self._of("rules"), key=lambda r: str(r.meta.id))

    @property
    def channels(self) -> Mapping[str, Channel]:
        """Channels by name."""
        return {c.name: c for c in self._of("channels")}

    @property
    def stores(self) -> Mapping[str, StoreKind]:
        """Storage backends by name."""
        return {s.name: s for s in self._of("stores")}

    @property
    def remotes(self) -> Mapping[str, RemoteKind]:
        """Places for backups by the scheme of their addresses."""
        return {r.scheme: r for r in self._of("remotes")}

    @property
    def slots(self) -> Mapping[str, SlotKind]:
        """Every kind of slot by name, the built-in ones first."""
        from loanhub.keys import BUILT_IN_SLOTS

        return {**BUILT_IN_SLOTS, **{s.kind: s for s in self._of("slots")}}

    @property
    def acts(self) -> Mapping[str, Act[Any, Any]]:
        """What may be asked, by name."""
        return {a.name: a for a in sorted(self._of("acts"), key=lambda a: str(a.name))}

    @property
    def fields(self) -> list[Any]:
        """Custom fields that plugins bring."""
        return self._of("fields")

    @property
    def backups(self) -> list[Backup]:
        """Backup agents."""
        return self._of("backups")

    @property
    def listens(self) -> bool:
        """Whether anybody wants to be told what happened."""
        return bool(self._manager.hook.happened.get_hookimpls())

    def tell(self, line: Line) -> list[Failure]:
        """Tell every listener of a committed audit line; failures are returned, none is raised."""
        return [f for i in self._manager.hook.happened.get_hookimpls() if (f := _told(i, line))]

    def invariants(self, home: Path) -> list[Any]:
        """Faults every plugin finds in a home; one that raises becomes a Failure in the list."""
        found: list[Any] = []
        for impl in self._manager.hook.invariants.get_hookimpls():
            answer, failure = attempt(impl.plugin_name, impl.function, home)
            found += [failure] if failure else _listed(answer)
        return found


def attempt(plugin: str, call: Callable[..., R], *args: Any) -> tuple[R | None, Failure | None]:
    """Call into a plugin: its answer, or the failure with its name. Interrupts pass."""
    try:
        return call(*args), None
    except Exception as error:  # a stranger's code
        return None, Failure(plugin, type(error).__name__)


def _told(impl: pluggy.HookImpl, line: Line) -> Failure | None:
    return attempt(impl.plugin_name, impl.function, line)[1]


def _things(offer: Callable[..., Any]) -> list[Any]:
    return list(offer())


def _listed(answer: Any) -> list[Any]:
    return list(answer or ())


def _name(thing: Any) -> str:
    meta = getattr(thing, "meta", None)
    return str(meta.id if meta is not None else getattr(thing, "path", None) or thing.name)


def _version(point: EntryPoint) -> str:
    return point.dist.version if point.dist is not None else ""


def _module(path: Path) -> ModuleType:
    name = f"loanhub_home_plugins.{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path.name} is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
