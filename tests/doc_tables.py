"""Writes the tables of the docs that come from the program itself: `python -m tests.doc_tables`.

In a page such a table stands between `<!-- made: NAME -->` and `<!-- end -->`. `tests/unit/test_docs.py`
makes all of them again and compares, so a message, a field or a setting cannot change without its page.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import attrs

from loanhub import settings
from loanhub.entities import ENTITIES, KINDS
from loanhub.fields import Field, WriteRule, fields_of
from loanhub.policy import maskable
from loanhub.services.intake.crosschecks import LOWERABLE
from loanhub.services.ratings.features import CATALOGUE
from loanhub.texts import LANGS, Lang, render

PAGES: Final = ("docs/ingest.md", "docs/ingest.zh-CN.md", "docs/operations.md", "docs/writing-a-plugin.md")
MADE: Final = re.compile(r"(<!-- made: (\S+) -->\n).*?(<!-- end -->)", re.DOTALL)

# ---------------------------------------------------------------- messages, sorted by what they are about

TOPICS: Final = ("readings", "intake", "formats", "files")
"""Files of config/messages that speak to a clerk."""

REFUSED: Final = """
    no-rows no-usable-columns file-not-recognised file-claimed-twice file-is-html file-is-pdf file-is-image
    file-empty file-torn reader-failed reader-died reading-stopped
""".split()
"""Besides those of the formats: their messages are refusals, but for what is noted."""
NOTED: Final = """
    encoding-guessed wrong-extension sheet-hidden rows-hidden columns-hidden macro-workbook
    macro-sheet-skipped formats-unknown merged-filled read-while-open opened-with-password
""".split()
WATCHED: Final = ("file-still-open", "file-unreadable", "folder-lost", "folder-back")
MAPPED: Final = ("batch-not-stored", "original-gone")
"""Besides all whose code begins with `mapping-`."""
ELSEWHERE: Final = """
    not-money due-day-impossible due-count-negative due-before-disbursed end-before-start
    calendar-year-unknown choice-alias-empty choice-alias-twice choice-without-label home-busy
    home-on-network-share home-in-cloud-folder home-name-reserved disk-full
""".split()
"""Of calls, settings and homes: no sheet brings these about."""

WARNED: Final = """
    rate-no-unit rate-small ratio-no-unit id-zeros id-legacy uscc-organisation card-luhn choice-kept
    differs-from-earlier-row row-repeated same-name same-name-other-id
""".split()
"""Problems that are told while the row is stored; of cross-checks LOWERABLE knows."""


def refusals() -> list[str]:
    """Codes of why a file is refused whole."""
    return [*REFUSED, *(code for code in codes("formats") if code not in NOTED)]


def of_mappings() -> list[str]:
    """Codes of what can be wrong with a mapping, or asked of a batch in vain."""
    return [*(code for code in codes("intake") if code.startswith("mapping-")), *MAPPED]


def row_codes() -> list[str]:
    """Codes of what can be wrong with a cell or a row: all of the topics that are nothing else."""
    other = {*refusals(), *NOTED, *WATCHED, *of_mappings(), *ELSEWHERE}
    return [code for code in codes(*TOPICS) if code not in other]


def codes(*topics: str) -> Iterator[str]:
    """Codes of messages by the files they stand in."""
    for topic in topics:
        text = (files("loanhub_defaults") / "messages" / f"{topic}.toml").read_text(encoding="utf-8")
        yield from (code for code in tomllib.loads(text) if "." not in code)


def severity(code: str) -> str:
    """What a problem does to its row: error, warning or conflict."""
    if code == "conflict":
        return code
    return LOWERABLE[code][0] if code in LOWERABLE else "warning" if code in WARNED else "error"


def messages(about: Iterable[str], lang: Lang, *, kinds: bool = False) -> str:
    """Code, words and what to do; with `kinds` also what the problem does to its row."""
    head = {"zh": ["代码", "级别", "说法", "怎么办"], "en": ["code", "kind", "words", "what to do"]}[lang]
    rows = []
    for code in about:
        said = render(code, lang)
        rows.append([f"`{code}`", _kind(code, lang), _plain(said.text), _plain(said.hint)])
    table = [head, *rows]
    return _table(table if kinds else [[code, *rest] for code, _, *rest in table])


def _kind(code: str, lang: Lang) -> str:
    words = {"error": "错误", "warning": "提示", "conflict": "冲突"}
    return words[severity(code)] if lang == "zh" else severity(code)


def _plain(text: str) -> str:
    """Words with their blanks shown as such, safe in a table of Markdown."""
    shown = re.sub(r"\{(\w+)\}", r"‹\1›", text)
    return shown.replace("|", "\\|").replace("<", "&lt;").replace("*", "\\*").replace("\n", " ")


# ---------------------------------------------------------------- fields and headers


def fields(lang: Lang) -> str:
    """Every field a sheet may fill, by kind: path, label, headers in the reader's language."""
    words = settings.default("words.toml")
    known = {f.path: f for entity in ENTITIES for f in fields_of(entity).values()}
    head = {"zh": ["字段", "名称", "", "认得的表头"], "en": ["field", "label", "", "headers that mean it"]}
    parts = []
    for kind in KINDS:
        rows = [_field(lang, f"{kind}.{n}", w, known) for n, w in words.get(kind, {}).items()]
        shown = [row for row in rows if row]
        if shown:
            title = words["kinds"][kind][f"label_{lang}"]
            parts.append(f"**{title}**\n\n{_table([head[lang], *shown])}")
    return "\n\n".join(parts)


def _field(lang: Lang, path: str, words: Mapping[str, Any], known: Mapping[str, Field]) -> list[str]:
    aliases = list(dict.fromkeys(words.get(f"aliases_{lang}", ())))
    label = words[f"label_{lang}"]
    others = ["\\|".join(a.split("|")) for a in aliases if a != label]
    if not others and path in known and not known[path].imported:
        return []
    joint = "、" if lang == "zh" else ", "
    return [f"`{path}`", label, _marks(lang, path, words, known), joint.join(others)]


def _marks(lang: Lang, path: str, words: Mapping[str, Any], known: Mapping[str, Field]) -> str:
    about = known.get(path)
    marks: list[str] = []
    if about is None:
        fills = words.get("fills", "")
        targets = [fills] if isinstance(fills, str) else fills
        marks += [f"→ `{target}`" for target in targets if target]
        return ", ".join(marks)
    if about.write is WriteRule.REVIEWED:
        marks.append("R")
    if about.write is WriteRule.BY_EVENT:
        marks.append("E")
    if maskable(about):
        marks.append("M")
    return " ".join(marks)


def ambiguous(lang: Lang) -> str:
    """Headers with several meanings, and what they may mean."""
    words = settings.default("words.toml")
    head = {"zh": ["表头", "可能是"], "en": ["header", "may mean"]}[lang]
    rows = [
        [header, ", ".join(f"`{path}`" for path in paths)]
        for header, paths in words["ambiguous"].items()
        if header.isascii() == (lang == "en")
    ]
    return _table([head, *rows])


def checks(lang: Lang) -> str:
    """Checks between the values of a row, and how grave each is unless a mapping says otherwise."""
    head = {"zh": ["检查", "级别", "说法"], "en": ["check", "kind", "words"]}[lang]
    rows = [[f"`{name}`", _kind(name, lang), _plain(render(name, lang).text)] for name in LOWERABLE]
    return _table([head, *rows])


# ---------------------------------------------------------------- settings and features

SETTINGS: Final[tuple[tuple[str, type, Mapping[str, str]], ...]] = (
    (
        "",
        settings.Settings,
        {
            "institution": "the name that letters and screens show",
            "lang": "`zh` or `en`: the language of commands, reports and letters",
            "timezone": "where days begin",
            "store": "the storage backend, by the name its plugin gave it",
            "start": "how the home opens without a person: `ask`, `file:PATH` of a key file, or `service`, "
            "a slot this machine opens by itself ([keys.md](keys.md))",
            "passwords": "which are taken: `dengbao` or `modern`; empty means `dengbao` where `lang` is `zh`",
        },
    ),
    (
        "[[drop]]",
        settings.Drop,
        {
            "folder": "the drop folder; a relative path counts from the home, an absolute one may be a share",
            "owner": "who drops here: reports go to `returns/OWNER`, the audit log names them",
            "role": "the owner's role, as the audit log shows it",
            "scope": "`all`, or `branch:NAME`: rows of other branches are rejected",
            "rights": "what a file dropped here may write; the list is the default of all kinds",
            "poll": "`true` for a network share that sends no events",
        },
    ),
    (
        "[intake]",
        settings.Intake,
        {
            "settle": "seconds a file must lie unchanged before it is taken",
            "every": "seconds between two looks at the drop folders",
            "chunk": "rows a transaction; another writer waits for one chunk at most",
            "read_memory_mb": "memory the reading child process may use",
            "read_seconds": "CPU seconds it may use; twice as many by the clock",
            "report_days": "reports are removed after so many days",
            "rate_cap": "yearly rate (a fraction) above which a row is reported as `rate-cap`",
            "age_from": "youngest age at application that is not reported as `age-range`",
            "age_to": "oldest age at application that is not reported",
        },
    ),
    (
        "[fields]",
        settings.FieldSettings,
        {
            "off": 'fields this institution does not use, such as `["customer.lunar_birthday"]`',
            "custom": "`[[fields.custom]]`, see below",
            "required": 'field paths by product that a new loan must have; `"*"` is every loan',
        },
    ),
    (
        "[[fields.custom]]",
        settings.CustomField,
        {
            "kind": "`customer`, `loan` or `credit`",
            "name": "its name, in letters, digits and `_`",
            "type": "how it is read: `text`, `money`, `date`, `integer`, `yes_no`, ...",
            "label_zh": "what people call it, in Chinese",
            "label_en": "and in English",
            "aliases": "headers that mean it",
            "privacy": "`business`, `personal` or `sensitive`",
            "write": "`free`, or `reviewed`: a change waits for confirmation",
        },
    ),
    (
        "[plugins]",
        settings.PluginSettings,
        {
            "disabled": "plugins switched off, by name",
            "settings": "`[plugins.settings.NAME]`: what a plugin is told",
        },
    ),
)


def settings_table() -> str:
    """Every key of loanhub.toml with its default and meaning."""
    shipped = settings.default("loanhub.toml")
    parts = []
    for title, kind, says in SETTINGS:
        rows = [["key", "default", "meaning"]]
        own = shipped.get(title.strip("[]"), {}) if title else shipped
        for attribute in attrs.fields(kind):
            if attribute.name in says:
                default = _default(attribute, own if isinstance(own, Mapping) else {})
                rows.append([f"`{attribute.name}`", default, says[attribute.name]])
        parts.append((f"`{title}`\n\n" if title else "") + _table(rows))
    return "\n\n".join(parts)


def _default(attribute: Any, own: Mapping[str, Any]) -> str:
    if attribute.name in own:
        return _value(own[attribute.name])
    if attribute.default is attrs.NOTHING:
        return "must be given"
    value = attribute.default.factory() if hasattr(attribute.default, "factory") else attribute.default
    return _value(value)


def _value(value: object) -> str:
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, str):
        return f'`"{value}"`'
    if isinstance(value, Mapping):
        return ", ".join(f'`"{k}" = {list(v)}`' for k, v in value.items()).replace("'", '"') or "none"
    if isinstance(value, list | tuple):
        return ", ".join(f"`{v}`" for v in value) or "none"
    return f"`{value}`"


def keys_of_settings() -> set[tuple[str, str]]:
    """Every key there is, by table, for the test that none is left out."""
    tables = {"drop", "intake", "fields", "plugins"}
    return {
        (title, a.name)
        for title, kind, _ in SETTINGS
        for a in attrs.fields(kind)
        if title or a.name not in tables
    }


def features() -> str:
    """What a rule may ask to see."""
    rows = [[f"`{f.name}`", f.unit, _plain(render(f"feature.{f.name}", "en").text)] for f in CATALOGUE]
    return _table([["feature", "unit", "what it is"], *rows])


# ---------------------------------------------------------------- writing

TABLES: Final[dict[str, Callable[[], str]]] = {"settings": settings_table, "features": features}


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *rest = rows
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, ["---"] * len(head), *rest])


def made(name: str) -> str:
    """The table of a name, such as `rows-zh` or `settings`. Raises KeyError for an unknown one."""
    if name in TABLES:
        return TABLES[name]()
    what, _, lang_ = name.rpartition("-")
    lang: Lang = next(lang for lang in LANGS if lang == lang_)
    groups = {"refused": refusals(), "noted": NOTED, "watched": WATCHED, "mapped": of_mappings()}
    if what in groups:
        return messages(groups[what], lang)
    if what == "rows":
        return messages((c for c in row_codes() if c not in LOWERABLE), lang, kinds=True)
    tables: dict[str, Callable[[Lang], str]] = {"fields": fields, "ambiguous": ambiguous, "checks": checks}
    return tables[what](lang)


def renewed(text: str) -> str:
    """A page with its made tables made again."""
    return MADE.sub(lambda found: f"{found[1]}\n{made(found[2])}\n\n{found[3]}", text)


def write(root: Path) -> None:
    """Make the tables of all pages anew."""
    for page in PAGES:
        path = root / page
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    write(Path(__file__).resolve().parent.parent)
