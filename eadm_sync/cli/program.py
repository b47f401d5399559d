"""The program with all its commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
import typer.main
from typer.core import TyperGroup

from eadm_sync import __version__

_PLAIN: dict[str, Any] = {
    "add_completion": False,
    "rich_markup_mode": None,  # Rich would cost every --help a tenth of a second
    "pretty_exceptions_enable": False,
}

MODULES = {
    "init": "setup",
    "check": "setup",
    "schema": "setup",
    "sample": "setup",
    "migrate": "setup",
    "plan": "planning",
    "sync": "planning",
    "apply": "planning",
    "deliver": "planning",
    "explain": "planning",
    "why-not": "planning",
    "undo": "undoing",
    "forecast": "forecasting",
    "brakes": "brakes",
    "release": "brakes",
    "approve": "brakes",
    "status": "looking",
    "report": "operating",
    "housekeeping": "operating",
    "purge": "operating",
    "run": "daemon",
    "worker": "daemon",
    "trigger": "daemon",
    "jobs": "daemon",
    "reconcile": "drift",
    "reexport": "drift",
    "key": "keys",
    "correlate": "correlating",
    "people": "looking",
    "accounts": "looking",
    "runs": "looking",
    "quarantine": "looking",
    "queue": "queueing",
    "person": "person",
    "password": "password",
    "ruleset": "ruleset",
    "history": "ruleset",
    "audit": "audit",
    "drift": "drift",
    "sources": "sources",
}
"""The commands as --help lists them, each with the module of `commands` that has it."""


@cache
def commands_of(module: str) -> Mapping[str, Any]:
    """The commands of one module, by name."""
    part = typer.Typer(**_PLAIN)
    part.callback()(_nothing)  # one command by itself would not be a command of something
    _register(module, part)
    return typer.main.get_group(part).commands


def whole_program() -> typer.Typer:
    """The program with all commands loaded, in the order of --help, for whoever describes them."""
    whole = typer.Typer(**_PLAIN)
    for module in dict.fromkeys(MODULES.values()):
        _register(module, whole)
    order = list(MODULES)
    whole.registered_groups.sort(key=lambda group: order.index(str(group.name)))
    return whole


def _register(module: str, program: typer.Typer) -> None:
    import_module(f"eadm_sync.cli.commands.{module}").register(program)


def _nothing() -> None:
    pass


class _Commands(Mapping[str, Any]):
    """All commands, by name; a module is loaded when one of its commands is asked for."""

    def __getitem__(self, name: str) -> Any:
        return commands_of(MODULES[name])[name]

    def __iter__(self) -> Iterator[str]:
        return iter(MODULES)

    def __len__(self) -> int:
        return len(MODULES)


class _Program(TyperGroup):
    """Loads what the command needs, so that one of forty does not pay for the others."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": _Commands()})


program = typer.Typer(
    name="eadm-sync",
    help="Keeps accounts true to HR and school records. Nothing is changed before you have seen it: see `plan`.",
    no_args_is_help=True,
    cls=_Program,
    **_PLAIN,
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
