"""The rules of the house, each a function from the parsed modules to the places that break it.

`tests/unit/test_floors.py` runs them over the project, and over planted offences.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from attrs import frozen

FLOORS: dict[str, int] = {
    **dict.fromkeys(("errors", "texts", "money", "calendars", "identifiers", "readings"), 0),
    **dict.fromkeys(("files", "cage", "system", "keys"), 0),
    **dict.fromkeys(("fields", "entities", "records", "schema", "sheets"), 1),
    **dict.fromkeys(("lending", "policy", "audit", "signatures", "searching", "pieces"), 2),
    **dict.fromkeys(("kinds", "acts", "hookspecs", "rules"), 3),
    **dict.fromkeys(("plugins", "settings", "words", "values", "workbook"), 4),
    **dict.fromkeys(("institution", "desk", "books", "review", "committing", "jobs"), 4),
    **dict.fromkeys(("home", "accounts"), 4),
    "holding": 4,
    "services": 5,
    **dict.fromkeys(("cli", "web", "testing", "demo", "__main__"), 6),
}
FACE_FLOOR = 6  # the face shows names from every floor, so only the top floor may look at it from inside

FREE = {"attrs", "polars", "numpy"}
HOMES: dict[str, tuple[str, ...]] = {
    "pluggy": ("loanhub.plugins", "loanhub.hookspecs", "=loanhub"),
    "cattrs": ("loanhub.records", "loanhub.settings", "loanhub.acts", "loanhub.cli"),
    "click": ("loanhub.cli", "loanhub.demo", "sync_agent.cli"),
    "rich": ("loanhub.cli", "loanhub.demo", "sync_agent.cli"),
    "tomli_w": ("loanhub.settings",),
    "sqlite_utils": ("loanhub_store_sqlite",),
    "sqlcipher3": ("loanhub_store_sqlite",),
    "python_calamine": ("loanhub_format_excel",),
    "xlrd": ("loanhub_format_excel",),
    "msoffcrypto": ("loanhub_format_excel", "loanhub.workbook"),
    "xlsxwriter": ("loanhub.workbook", "loanhub.testing"),
    "charset_normalizer": ("loanhub_format_csv",),
    "watchdog": ("loanhub.files",),
    "cryptography": ("loanhub.keys",),
    "argon2": ("loanhub.keys",),
    "boto3": ("loanhub_remote_s3", "loanhub.testing.servers"),
    "botocore": ("loanhub_remote_s3", "loanhub.testing.servers"),
    "zxcvbn": ("loanhub.services.accounts",),
    "pypinyin": ("loanhub.searching",),
    "chinese_calendar": ("loanhub.calendars",),
    "blake3": ("sync_agent",),
    "zstandard": ("sync_agent",),
    "pyfastcdc": ("sync_agent",),
}
"""One home a package (exactly this module after `=`), so that replacing it means opening one folder."""

BROAD_EXCEPT_AT_HOME = ("loanhub.plugins", "loanhub.cage", "loanhub.jobs")
ONE_SYSTEM_MODULES = {"resource", "fcntl", "pwd", "grp", "termios", "msvcrt", "winreg", "_winapi"}
ONE_SYSTEM_NAMES = set(
    """
    os.fork os.forkpty os.name os.uname os.getuid os.geteuid os.killpg os.setsid os.statvfs os.startfile
    os.sched_getaffinity sys.platform sys.getwindowsversion platform.system signal.SIGKILL
    signal.SIGALRM signal.SIGHUP signal.setitimer
    """.split()
)
LONGEST = 400


@frozen
class Module:
    """One parsed file; `name` as it is imported."""

    name: str
    file: Path
    source: str
    tree: ast.Module

    def at(self, node: ast.AST | None, what: str) -> str:
        """The offence `what`, with the place where it stands."""
        return f"{self.name}:{getattr(node, 'lineno', 1)} {what}"

    def within(self, *homes: str) -> bool:
        """Whether this is one of `homes` or inside it; `=name` means the module itself only."""
        return any(self.name == home.removeprefix("=") or self.name.startswith(f"{home}.") for home in homes)

    @property
    def inside(self) -> bool:
        """Whether it belongs to loanhub itself; all others are outsiders."""
        return self.within("loanhub")


House = dict[str, Module]
"""The modules by name."""


def read_house(root: Path) -> House:
    """Every module under `root` that is installed: loanhub, sync_agent, the plugins and config/."""
    house: House = {}
    for base, top in _tops(root):
        for file in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            name = ".".join(file.relative_to(base).with_suffix("").parts).removesuffix(".__init__")
            name = re.sub(r"^config\b", "loanhub_defaults", name)
            source = file.read_text(encoding="utf-8")
            house[name] = Module(name, file, source, ast.parse(source, str(file)))
    return house


def _tops(root: Path) -> Iterator[tuple[Path, Path]]:
    for name in ("loanhub", "sync_agent", "config"):
        if (root / name).is_dir():
            yield root, root / name
    for top in sorted((root / "plugins").glob("loanhub_*")):
        yield root / "plugins", top


def imports(module: Module, house: House) -> Iterator[tuple[ast.AST, str]]:
    """What the module imports, wherever it stands (in functions and under TYPE_CHECKING too), by name."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = _absolute(node, module)
            for alias in node.names:
                whole = f"{source}.{alias.name}"
                unbuilt = source == "loanhub" and alias.name in FLOORS
                known = (whole in house or unbuilt) and (
                    module.inside or not _shown(source, alias.name, house)
                )
                yield node, whole if known else source
        elif isinstance(node, ast.Call) and _dotted(node.func).endswith(("import_module", "__import__")):
            yield from ((node, str(arg.value)) for arg in node.args[:1] if isinstance(arg, ast.Constant))


def _absolute(node: ast.ImportFrom, module: Module) -> str:
    if not node.level:
        return node.module or ""
    depth = node.level - (module.file.name == "__init__.py")
    base = module.name.split(".")
    base = base[: len(base) - depth] if depth else base
    return ".".join([*base, *([node.module] if node.module else [])])


def _shown(source: str, name: str, house: House) -> bool:
    """Whether the face lists `name` itself, though a module is called the same."""
    face = house.get("loanhub")
    if source != "loanhub" or face is None:
        return False
    for node in face.tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign) and "__all__" in ast.unparse(node).split("=")[0]:
            return any(isinstance(leaf, ast.Constant) and leaf.value == name for leaf in ast.walk(node))
    return False


def floor(name: str) -> int | None:
    """The floor of a module of loanhub; None if the table does not know it."""
    parts = name.split(".")
    return FACE_FLOOR if len(parts) == 1 else FLOORS.get(parts[1])


def imports_go_down(house: House) -> Iterator[str]:
    """A module imports its own floor or lower."""
    for module in house.values():
        if not module.inside:
            continue
        mine = floor(module.name)
        if mine is None:
            yield module.at(None, "has no floor in tests/house.py")
            continue
        for node, name in imports(module, house):
            if name.split(".")[0] == "loanhub" and (theirs := floor(name)) is not None and theirs > mine:
                yield module.at(node, f"on floor {mine} imports {name} on floor {theirs}")


def services_stand_alone(house: House) -> Iterator[str]:
    """No service imports another service."""
    for module in house.values():
        if module.name.startswith("loanhub.services."):
            mine = module.name.split(".")[2]
            for node, name in imports(module, house):
                if name.startswith("loanhub.services.") and name.split(".")[2] != mine:
                    yield module.at(node, f"imports another service: {name}")


def outsiders_see_only_the_face(house: House) -> Iterator[str]:
    """Plugins, sync_agent and config import `loanhub` only, and none of each other."""
    outsiders = {name.split(".")[0] for name, module in house.items() if not module.inside}
    for module in house.values():
        if module.inside:
            continue
        for node, name in imports(module, house):
            top = name.split(".")[0]
            if name.startswith("loanhub.") or (top in outsiders and top != module.name.split(".")[0]):
                yield module.at(node, f"reaches past the face: {name}")


def insiders_know_no_outsider(house: House) -> Iterator[str]:
    """Nothing in loanhub imports a plugin or sync_agent."""
    for module in house.values():
        for node, name in imports(module, house):
            top = name.split(".")[0]
            if (
                module.inside
                and (top == "sync_agent" or top.startswith("loanhub_"))
                and top != "loanhub_defaults"
            ):
                yield module.at(node, f"imports an outsider: {name}")


def packages_stay_home(house: House) -> Iterator[str]:
    """A third-party package is imported in its home only."""
    ours = {name.split(".")[0] for name in house} | {"loanhub", "loanhub_defaults", "sync_agent"}
    for module in house.values():
        for node, name in imports(module, house):
            top = name.split(".")[0]
            if top in sys.stdlib_module_names or top in ours or top in FREE:
                continue
            if top not in HOMES:
                yield module.at(node, f"imports {top}, which has no home in tests/house.py")
            elif not module.within(*HOMES[top]):
                yield module.at(node, f"imports {top}, at home in {', '.join(HOMES[top])}")


def protocols_stand_in_kinds(house: House) -> Iterator[str]:
    """A Protocol is declared in loanhub/kinds.py only."""
    for module in house.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef) and not module.within("loanhub.kinds"):
                bases = [
                    _dotted(base.value if isinstance(base, ast.Subscript) else base) for base in node.bases
                ]
                if any(base.split(".")[-1] == "Protocol" for base in bases):
                    yield module.at(node, f"declares the Protocol {node.name}")


def broad_excepts_stay_home(house: House) -> Iterator[str]:
    """Only the three named modules may swallow any error; cleaning up and raising again is free."""
    for module in house.values():
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.ExceptHandler) or module.within(*BROAD_EXCEPT_AT_HOME):
                continue
            kinds = node.type.elts if isinstance(node.type, ast.Tuple) else [node.type]
            broad = any(kind is None or _dotted(kind) in {"Exception", "BaseException"} for kind in kinds)
            last = node.body[-1]
            if broad and not (isinstance(last, ast.Raise) and last.exc is None):
                yield module.at(node, "catches everything")


def systems_differ_in_one_place(house: House) -> Iterator[str]:
    """What one operating system has and another lacks is used in loanhub/system.py only."""
    for module in house.values():
        if module.within("loanhub.system"):
            continue
        alias = _import_aliases(module.tree)
        for node in ast.walk(module.tree):
            names: list[str] = []
            if isinstance(node, ast.Import):
                names = [name.name for name in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [str(node.module), *(f"{node.module}.{name.name}" for name in node.names)]
            elif isinstance(node, ast.Attribute):
                first, _, rest = _dotted(node).partition(".")
                names = [f"{alias.get(first, first)}.{rest}"]
            for name in names:
                if name in ONE_SYSTEM_NAMES or name in ONE_SYSTEM_MODULES:
                    yield module.at(node, f"uses {name}, which not every system has")


def _import_aliases(tree: ast.Module) -> dict[str, str]:
    found = [alias for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    return {alias.asname: alias.name for alias in found if alias.asname}


PATH_NAME = re.compile(r"(^|_)(path|folder|dir|directory|home|root|parent|inbox|file|filename)$")


def paths_are_joined_by_pathlib(house: House) -> Iterator[str]:
    """No path is put together with "/" in a string: `folder / name` knows the system's own way."""
    for module in house.values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.JoinedStr):
                pairs = zip(node.values, node.values[1:], strict=False)
            elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
                left = node.left.right if isinstance(node.left, ast.BinOp) else node.left
                pairs = zip([left], [node.right], strict=True)
            else:
                continue
            if any(_joins(left, right) for left, right in pairs):
                yield module.at(node, f"joins a path with a slash: {ast.unparse(node)}")


def _joins(left: ast.expr, right: ast.expr) -> bool:
    return (_is_path(left) and _text(right).startswith("/")) or (
        _text(left).endswith("/") and _is_path(right)
    )


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr) and node.values:
        node = node.values[0]
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_path(node: ast.expr) -> bool:
    if isinstance(node, ast.FormattedValue):
        node = node.value
    if isinstance(node, ast.Call):
        called = _dotted(node.func).split(".")[-1]
        return called in {"Path", "as_posix", "fspath"} or (called == "str" and any(map(_is_path, node.args)))
    return bool(PATH_NAME.search(_dotted(node).split(".")[-1]))


def modules_are_short_and_introduced(house: House) -> Iterator[str]:
    """Every module says in its first line what it is for, and is short enough to be read at once."""
    for module in house.values():
        if not (ast.get_docstring(module.tree) or "").split("\n")[0].strip():
            yield module.at(None, "has no docstring")
        if (lines := module.source.count("\n")) > LONGEST:
            yield module.at(None, f"has {lines} lines, more than {LONGEST}")


def _dotted(node: ast.AST | None) -> str:
    """`os.path` for the expression os.path; its last part alone where the rest is no name; "" for neither."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}".lstrip(".")
    return ""


PURE = set(
    """
    frozenset tuple dict set list range len sorted min max zip map enumerate reversed sum any all abs
    pow divmod round int str float bool bytes ord chr object type isinstance getattr hasattr filter cast
    date timedelta datetime time timezone
    """.split()
)
DECLARING = set(
    """
    define frozen mutable field ib dataclass namedtuple auto itemgetter attrgetter cache lru_cache
    partial wraps hookspec hookimpl getLogger deprecated dataclass_transform and_ or_ instance_of in_ ge
    param of rule gt le lt deep_iterable optional default_if_none re.compile
    """.split()
)
PURE_METHODS = set(
    """
    split splitlines strip lower upper join format items keys values union maketrans fromkeys replace
    encode decode fromhex from_bytes to_bytes removeprefix removesuffix isoformat fromisoformat copy
    quantize scaleb
    """.split()
)
STARTS_WORK = set(
    """
    Thread Process Pool Popen ThreadPoolExecutor ProcessPoolExecutor Observer Timer PluginManager
    Institution Converter TemporaryDirectory NamedTemporaryFile
    """.split()
)
READS_THE_WORLD = set(
    """
    home cwd now today utcnow resolve exists iterdir glob rglob open
    """.split()
)


def importing_does_no_work(house: House) -> Iterator[str]:
    """A module declares; what costs time or looks at the machine waits until it is called.

    Allowed at module and class level: making a value (a call of a Capitalised name), declaring with attrs,
    typing, enum, functools or the hook markers, compiling a pattern, and pure built-ins and text methods. The
    command line may declare its commands. A table that a function of ours builds is a cached function.
    """
    for module in house.values():
        if module.name.endswith("__main__"):
            continue
        for call in _calls_at_import(module.tree.body):
            called = _dotted(call.func)
            if not _is_declaration(call.func, called) and not (
                called.startswith("click.") and module.within(*HOMES["click"])
            ):
                yield module.at(call, f"calls {called or ast.unparse(call.func)} when it is imported")


def _is_declaration(func: ast.expr, called: str) -> bool:
    owner, _, last = called.rpartition(".")
    if last in READS_THE_WORLD or last in STARTS_WORK:
        return False
    if called in PURE | DECLARING or last in DECLARING or (last in PURE and owner == "datetime"):
        return True
    if isinstance(func, ast.Attribute) and last in PURE_METHODS:
        return True
    return (
        last[:1].isupper() or last.lstrip("_")[:1].isupper() or owner.split(".")[-1].lstrip("_")[:1].isupper()
    )


def _calls_at_import(nodes: Iterable[ast.AST]) -> Iterator[ast.Call]:
    """The calls that run when these statements do; the insides of functions do not."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _calls_at_import(
                [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
            )
        elif isinstance(node, ast.If) and re.search(r"TYPE_CHECKING|__name__", ast.unparse(node.test)):
            yield from _calls_at_import(node.orelse)
        elif not isinstance(node, ast.Lambda):
            if isinstance(node, ast.Call):
                yield node
            yield from _calls_at_import(ast.iter_child_nodes(node))
