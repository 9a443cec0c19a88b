"""What click finds wrong with a call, as an error with a code and words in both languages.

Values that were typed are not repeated: they may be an ID or a phone number.
"""

from __future__ import annotations

from difflib import get_close_matches

import click

from loanhub.cli.session import FLAGS, VALUES
from loanhub.errors import LoanHubError, Usage


def usage_of(error: click.ClickException) -> LoanHubError:
    """The Usage error for a fault that click found."""
    asked = _asked(error)
    if isinstance(error, click.NoSuchOption):
        params = error.ctx.command.params if error.ctx else []
        known = [name for one in params if isinstance(one, click.Option) for name in one.opts]
        near = get_close_matches(error.option_name, [*known, *FLAGS, *VALUES], 1)
        if near:
            return Usage("usage-option-near", option=error.option_name, near=near[0], help=asked)
        return Usage("usage-option-unknown", option=error.option_name, help=asked)
    if isinstance(error, click.BadOptionUsage):
        return Usage("usage-option-value", option=error.option_name)
    if isinstance(error, click.MissingParameter):
        return Usage("usage-missing", name=_shown(error), help=asked)
    if isinstance(error, click.BadParameter):
        return Usage("usage-value", name=_shown(error), help=asked)
    return Usage("usage-wrong", help=asked)


def _asked(error: click.ClickException) -> str:
    """The command whose help tells more."""
    context = getattr(error, "ctx", None)
    return f"{context.command_path if context else 'loanhub'} --help"


def _shown(error: click.BadParameter) -> str:
    if error.param is None:
        return ""
    if isinstance(error.param, click.Argument):
        return error.param.make_metavar(error.ctx or click.Context(click.Command(None)))
    return max(error.param.opts, key=len)
