"""LoanHub: customers, loans, credit and follow-ups of a lending institution, out of its spreadsheets.

This is the face: all that plugins and the sync agent may import. Names are loaded when first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from loanhub.acts import Act, Books, Facts, param
    from loanhub.audit import Head, Line
    from loanhub.cli.faults import usage_of
    from loanhub.cli.unlocking import kept_secret
    from loanhub.entities import (
        Collateral,
        CreditRecord,
        Customer,
        Document,
        Entity,
        FollowUp,
        Instalment,
        Loan,
        Receipt,
        Relation,
    )
    from loanhub.errors import (
        Busy,
        Damaged,
        Interrupted,
        LoanHubError,
        Misconfigured,
        NotAllowed,
        NotFound,
        Refused,
        Stale,
        Usage,
        Waiting,
    )
    from loanhub.fields import Field, FieldType, Privacy, WriteRule, field
    from loanhub.files import remote_name, safe_name, saying_full, write_atomically, write_new
    from loanhub.holding import hold
    from loanhub.home import Home
    from loanhub.hookspecs import hookimpl
    from loanhub.keys import (
        BUILT_IN_SLOTS,
        NOBODY,
        DamagedSlot,
        Keyring,
        Place,
        SealKey,
        Secret,
        SlotKind,
        SlotPlace,
        VaultObject,
        Wrapped,
        bind,
        file_place,
        is_private_key,
        new_key_file,
        new_private_file,
        new_recovery_key,
        new_signing_key,
        new_vault_object,
        open_sealed,
        public_key,
        public_line_of,
        read_key_file,
        read_vault_object,
        seal,
        sign,
        signed_by,
        vault_object,
    )
    from loanhub.kinds import (
        VAULT_MARKER,
        Backup,
        Capabilities,
        Channel,
        Delivery,
        Fault,
        Format,
        Holding,
        Letter,
        Outcome,
        Remote,
        RemoteKind,
        Rule,
        RuleMeta,
        Store,
        Stored,
        StoreKind,
        holding_of,
    )
    from loanhub.plugins import Plugins
    from loanhub.records import Columns, Cursor, Diff, Order, Probe, Query, Record, Test
    from loanhub.rules import RowView, rule
    from loanhub.schema import Column, Schema, Table
    from loanhub.services.office.proving import prove_home
    from loanhub.sheets import CellKind, Claim, Sheet, block
    from loanhub.system import (
        drives,
        is_kept_name,
        lock,
        make_private,
        open_plain,
        private_folder,
        range_is_taken,
        ready_console,
        share_range,
        stop_event,
        sync_folder,
    )
    from loanhub.texts import LANGS, Lang, Message, render, say

__all__ = [
    "BUILT_IN_SLOTS",
    "LANGS",
    "NOBODY",
    "VAULT_MARKER",
    "Act",
    "Backup",
    "Books",
    "Busy",
    "Capabilities",
    "CellKind",
    "Channel",
    "Claim",
    "Collateral",
    "Column",
    "Columns",
    "CreditRecord",
    "Cursor",
    "Customer",
    "Damaged",
    "DamagedSlot",
    "Delivery",
    "Diff",
    "Document",
    "Entity",
    "Facts",
    "Fault",
    "Field",
    "FieldType",
    "FollowUp",
    "Format",
    "Head",
    "Holding",
    "Home",
    "Instalment",
    "Interrupted",
    "Keyring",
    "Lang",
    "Letter",
    "Line",
    "Loan",
    "LoanHubError",
    "Message",
    "Misconfigured",
    "NotAllowed",
    "NotFound",
    "Order",
    "Outcome",
    "Place",
    "Plugins",
    "Privacy",
    "Probe",
    "Query",
    "Receipt",
    "Record",
    "Refused",
    "Relation",
    "Remote",
    "RemoteKind",
    "RowView",
    "Rule",
    "RuleMeta",
    "Schema",
    "SealKey",
    "Secret",
    "Sheet",
    "SlotKind",
    "SlotPlace",
    "Stale",
    "Store",
    "StoreKind",
    "Stored",
    "Table",
    "Test",
    "Usage",
    "VaultObject",
    "Waiting",
    "Wrapped",
    "WriteRule",
    "bind",
    "block",
    "drives",
    "field",
    "file_place",
    "hold",
    "holding_of",
    "hookimpl",
    "is_kept_name",
    "is_private_key",
    "kept_secret",
    "lock",
    "make_private",
    "new_key_file",
    "new_private_file",
    "new_recovery_key",
    "new_signing_key",
    "new_vault_object",
    "open_plain",
    "open_sealed",
    "param",
    "private_folder",
    "prove_home",
    "public_key",
    "public_line_of",
    "range_is_taken",
    "read_key_file",
    "read_vault_object",
    "ready_console",
    "remote_name",
    "render",
    "rule",
    "safe_name",
    "say",
    "saying_full",
    "seal",
    "share_range",
    "sign",
    "signed_by",
    "stop_event",
    "sync_folder",
    "usage_of",
    "vault_object",
    "write_atomically",
    "write_new",
]

_ROOMS = {
    "acts": "Act Books Facts param",
    "audit": "Head Line",
    "cli.faults": "usage_of",
    "cli.unlocking": "kept_secret",
    "entities": "Collateral CreditRecord Customer Document Entity FollowUp Instalment Loan Receipt Relation",
    "errors": "Busy Damaged Interrupted LoanHubError Misconfigured NotAllowed NotFound Refused Stale Usage "
    "Waiting",
    "fields": "Field FieldType Privacy WriteRule field",
    "files": "remote_name safe_name saying_full write_atomically write_new",
    "holding": "hold",
    "home": "Home",
    "hookspecs": "hookimpl",
    "keys": "BUILT_IN_SLOTS NOBODY DamagedSlot Keyring Place SealKey Secret SlotKind SlotPlace "
    "VaultObject Wrapped bind file_place is_private_key new_key_file new_private_file "
    "new_recovery_key new_signing_key new_vault_object open_sealed public_key public_line_of "
    "read_key_file read_vault_object seal sign signed_by vault_object",
    "kinds": "VAULT_MARKER Backup Capabilities Channel Delivery Fault Format Holding Letter Outcome Remote "
    "RemoteKind Rule RuleMeta Store StoreKind Stored holding_of",
    "plugins": "Plugins",
    "records": "Columns Cursor Diff Order Probe Query Record Test",
    "rules": "RowView rule",
    "schema": "Column Schema Table",
    "services.office.proving": "prove_home",
    "sheets": "CellKind Claim Sheet block",
    "system": "drives is_kept_name lock make_private open_plain private_folder range_is_taken ready_console "
    "share_range stop_event sync_folder",
    "texts": "LANGS Lang Message render say",
}


def __getattr__(name: str) -> Any:
    for room, names in _ROOMS.items():
        if name in names.split():
            return getattr(import_module(f"loanhub.{room}"), name)
    raise AttributeError(f"module 'loanhub' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
