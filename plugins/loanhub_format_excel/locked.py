"""Takes the password off a workbook, in memory: .xlsx, .xlsm and .xlsb (agile, standard), .xls (RC4, XOR).

Needs the optional package msoffcrypto-tool (`loanhub[office]`). Source of the schemes: [MS-OFFCRYPTO].
"""

from __future__ import annotations

import struct
from importlib.util import find_spec
from io import BytesIO
from types import SimpleNamespace
from typing import Any, Final
from xml.parsers.expat import ExpatError

from loanhub import Refused
from loanhub_format_excel.source import Source

EVERYBODYS: Final = "VelvetSweatshop"
"""What Excel itself tries before it asks: books with locked sheets only are encrypted with it."""

_BROKEN: Final = (
    struct.error, LookupError, ValueError, AssertionError, TypeError, AttributeError, EOFError,
    OverflowError, OSError, ExpatError, NotImplementedError, RecursionError, ZeroDivisionError,
)  # fmt: skip


def unlocked(source: Source, password: str | None) -> Source:
    """The workbook without its password, held in memory; nothing of it is written anywhere.

    Raises Refused: "password-protected" when none was given, "password-no-tool" when the optional package is
    not there, "password-wrong", "password-unsupported" for a scheme nobody here can undo, "not-whole".
    """
    if find_spec("msoffcrypto") is None:
        raise Refused("password-protected" if password is None else "password-no-tool")
    try:
        return Source(source.path, _decrypted(source, EVERYBODYS if password is None else password))
    except Refused as refused:
        raise refused if password is not None else Refused("password-protected") from refused


def _decrypted(source: Source, password: str) -> bytes:
    from msoffcrypto import exceptions

    plain = BytesIO()
    try:
        with source.open() as file:
            _decrypt(file, password, plain)
    except exceptions.InvalidKeyError as error:
        raise Refused("password-wrong") from error
    except (exceptions.DecryptionError, exceptions.FileFormatError) as error:
        raise Refused("password-unsupported") from error
    except (exceptions.ParseError, *_BROKEN) as error:
        raise Refused("not-whole") from error
    return plain.getvalue()


def _decrypt(file: Any, password: str, plain: BytesIO) -> None:
    import msoffcrypto
    from msoffcrypto.format import xls97

    xls97.tempfile = SimpleNamespace(TemporaryFile=BytesIO)  # else it puts the plain workbook on the disk
    office = msoffcrypto.OfficeFile(file)
    if office.format == "ooxml":
        office.load_key(password=password, verify_password=True)
    else:
        office.load_key(password=password)  # verifies by itself
    office.decrypt(plain)
