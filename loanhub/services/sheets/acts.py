"""What may be asked of sheets: templates and exports. All of it writes files, so none is a command itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from loanhub.acts import Act
from loanhub.hookspecs import hookimpl
from loanhub.services.sheets import asking, template


@hookimpl
def acts() -> Sequence[Act[Any, Any]]:
    """The acts behind templates and exports."""
    return [template.OUTLINE, *asking.acts().values()]
