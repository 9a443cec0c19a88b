"""How an act is called at the command line: `customer.show` is `loanhub customer show`."""

from __future__ import annotations


def spoken_name(name: str) -> str:
    """The words typed for a name: dots become spaces, underscores dashes."""
    return name.replace(".", " ").replace("_", "-")


def option_name(field: str) -> str:
    """The option for an attribute: `as_of` is `--as-of`, `from_` is `--from`."""
    return f"--{field.rstrip('_').replace('_', '-')}"


def metavar(field: str) -> str:
    """How an argument shows in a usage line."""
    return field.upper()
