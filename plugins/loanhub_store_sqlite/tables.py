"""Makes the tables of a schema, adds what a newer one has; each step is committed with its number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import frozen

from loanhub import Misconfigured
from loanhub_store_sqlite.cipher import toolbox

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlite_utils import Database

    from loanhub import Schema, Table
    from loanhub_store_sqlite.session import Session

SQL_TYPES: Final = {
    "integer": "INTEGER",
    "boolean": "INTEGER",
    "text": "TEXT",
    "date": "TEXT",
    "json": "TEXT",
    "blob": "BLOB",
}
MIGRATION: Final = "migration"
OWN_TABLES: Final = (MIGRATION, "history", "audit")

AUDIT_GUARDS: Final = {
    # An INSERT OR REPLACE deletes without asking a trigger, unless the number is checked before.
    "audit_in_order": "BEFORE INSERT ON audit WHEN NEW.seq <> 1 + (SELECT coalesce(max(seq), 0) FROM audit)",
    "audit_no_update": "BEFORE UPDATE ON audit",
    "audit_no_delete": "BEFORE DELETE ON audit",
}


def migrate(session: Session, schema: Schema) -> None:
    """Bring the tables up to `schema`. Raises Misconfigured("home-too-new" or "database-layout")."""
    with session.reading():
        # Most often all is there: then nobody has to wait for a writer.
        if _is_complete(session, schema):
            return
    tools = toolbox(session.conn)
    for number, step in OWN_STEPS.items():
        with session.writing():
            if _reached(session, "store") < number:
                step(tools)
                _record(session, "store", number)
    with session.writing():
        for table in schema.tables:
            _bring_up(tools, _Layout.of(session), table)
        if _reached(session, "schema") < schema.version:
            _record(session, "schema", schema.version)


def _is_complete(session: Session, schema: Schema) -> bool:
    layout = _Layout.of(session)
    if MIGRATION not in layout.columns:
        return False
    known = {"store": max(OWN_STEPS), "schema": schema.version}
    reached = {part: _reached(session, part) for part in known}
    for part, version in known.items():
        if reached[part] > version:
            raise Misconfigured("home-too-new", found=reached[part], known=version)
    if reached != known:
        return False
    # Compared each time: in a release columns come with a number, while one is being written without.
    return all(layout.has(table) for table in schema.tables)


@frozen
class _Layout:
    """What is there: SQL types by table and column, keys by table, names of indexes."""

    columns: dict[str, dict[str, str]]
    keys: dict[str, tuple[str, ...]]
    indexes: frozenset[str]

    @classmethod
    def of(cls, session: Session) -> _Layout:
        columns: dict[str, dict[str, str]] = {}
        keys: dict[str, dict[int, str]] = {}
        sql = (
            "SELECT s.name, c.name, c.type, c.pk FROM sqlite_schema s, pragma_table_info(s.name) c "
            "WHERE s.type = 'table'"
        )
        for table, column, sql_type, place in session.run(sql):
            columns.setdefault(table, {})[column] = sql_type
            keys.setdefault(table, {})
            if place:
                keys[table][place] = column
        indexes = session.run("SELECT name FROM sqlite_schema WHERE type = 'index'")
        in_order = {table: tuple(key[place] for place in sorted(key)) for table, key in keys.items()}
        return cls(columns, in_order, frozenset(name for (name,) in indexes))

    def has(self, table: Table) -> bool:
        """Whether all of it is there. Raises Misconfigured where it is there but of another shape."""
        there, wanted = self.columns.get(table.name), _columns(table)
        if there is None:
            return False
        wrong = [name for name in wanted if there.get(name, wanted[name]) != wanted[name]]
        key = ("id",) if table.kept else table.key
        if wrong or self.keys[table.name] != key:
            raise Misconfigured("database-layout", table=table.name, columns=", ".join(wrong or key))
        return wanted.keys() <= there.keys() and {_index(table, i) for i in table.indexes} <= self.indexes


def _columns(table: Table) -> dict[str, str]:
    meta = {"id": "INTEGER", "version": "INTEGER", "at": "TEXT", "line": "INTEGER"} if table.kept else {}
    return {**meta, **{column.name: SQL_TYPES[column.type] for column in table.columns}}


def _index(table: Table, columns: tuple[str, ...]) -> str:
    return f"idx_{table.name}_{'_'.join(columns)}"


def _bring_up(tools: Database, layout: _Layout, table: Table) -> None:
    if table.name in OWN_TABLES:
        raise ValueError(f"{table.name} is the store's own table")
    if layout.has(table):
        return
    there, wanted = layout.columns.get(table.name), _columns(table)
    if there is None and table.kept:
        tools.create_table(table.name, wanted, pk="id", not_null={"version", "at", "line"})
    elif there is None:
        _create_by_key(tools, table.name, wanted, table.key)
    else:
        for name in [name for name in wanted if name not in there]:
            tools.table(table.name).add_column(name, wanted[name])
    for columns in table.indexes:
        tools.table(table.name).create_index(columns, _index(table, columns), if_not_exists=True)


def _reached(session: Session, part: str) -> int:
    if not session.run("SELECT 1 FROM sqlite_schema WHERE name = ?", (MIGRATION,)).fetchone():
        return 0
    sql = f"SELECT coalesce(max(version), 0) FROM {MIGRATION} WHERE part = ?"  # noqa: S608 - a constant
    return int(session.run(sql, (part,)).fetchone()[0])


def _record(session: Session, part: str, number: int) -> None:
    session.run(f"INSERT INTO {MIGRATION} VALUES (?, ?)", (part, number))  # noqa: S608 - a constant


def _create_by_key(tools: Database, name: str, columns: dict[str, str], key: tuple[str, ...]) -> None:
    """A table that lies in the order of its key; sqlite-utils writes all of it but the last two words."""
    sql = tools.create_table_sql(name, columns, pk=key, not_null=set(key))
    tools.execute(sql.strip().rstrip(";") + " WITHOUT ROWID")


def _own_tables(tools: Database) -> None:
    numbers = {"part": "TEXT", "version": "INTEGER"}
    _create_by_key(tools, MIGRATION, numbers, ("part", "version"))
    history = {
        "kind": "TEXT",
        "id": "INTEGER",
        "version": "INTEGER",
        "at": "TEXT",
        "until": "TEXT",
        "line": "INTEGER",
        "gone": "INTEGER",
        "record": "TEXT",
    }
    _create_by_key(tools, "history", history, ("kind", "id", "version"))
    texts = ("at", "who", "role", "via", "act", "object", "fields", "reason", "outcome", "counts")
    audit = {"seq": "INTEGER", **dict.fromkeys(texts, "TEXT"), "previous": "BLOB", "hash": "BLOB"}
    tools.create_table("audit", audit, pk="seq", not_null=set(audit) - {"seq"})
    for name, when in AUDIT_GUARDS.items():
        tools.execute(
            f"CREATE TRIGGER {name} {when} BEGIN SELECT RAISE(ABORT, 'the audit log only grows'); END"
        )


def _sign_ins(tools: Database) -> None:
    for name in ("session", "address"):
        tools.execute(f"ALTER TABLE audit ADD COLUMN {name} TEXT NOT NULL DEFAULT ''")


OWN_STEPS: Final[dict[int, Callable[[Database], None]]] = {1: _own_tables, 2: _sign_ins}
"""The store's own tables, by the number of the step that makes them."""
