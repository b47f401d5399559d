"""The program with all its commands."""

from __future__ import annotations

from typing import Annotated

import typer

from eadm_sync import __version__
from eadm_sync.cli.commands import (
    audit,
    brakes,
    correlating,
    daemon,
    drift,
    forecasting,
    keys,
    looking,
    operating,
    password,
    person,
    planning,
    queueing,
    ruleset,
    setup,
    sources,
    undoing,
)

program = typer.Typer(
    name="eadm-sync",
    help="Keeps accounts true to HR and school records. Nothing is changed before you have seen it: see `plan`.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # Rich would cost every --help a tenth of a second
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"eadm-sync {__version__}")
        raise typer.Exit


@program.callback()
def _root(
    _version_wanted: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Say the version and end.")
    ] = False,
) -> None:
    pass


setup.register(program)
keys.register(program)
planning.register(program)
undoing.register(program)
correlating.register(program)
forecasting.register(program)
brakes.register(program)
looking.register(program)
queueing.register(program)
operating.register(program)
person.register(program)
password.register(program)
ruleset.register(program)
audit.register(program)
daemon.register(program)
drift.register(program)
sources.register(program)
