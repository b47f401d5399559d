"""`docs/commands.md`: every command with its options, from the functions that are the commands.

Typer's own objects differ from release to release; the functions, their docstrings and annotations are ours.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import EnumType
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import typer
from typer.models import ArgumentInfo, OptionInfo

from docs.generator.markdown import code, plain, table
from eadm_sync.cli import exits
from eadm_sync.cli.program import whole_program

_WORDS = {bool: "", int: "NUMBER", float: "NUMBER", str: "TEXT", Path: "PATH"}


@dataclass(frozen=True)
class Parameter:
    """An argument or an option of a command.

    Attributes:
        names: As it is typed: ("--config", "-c"), or the placeholder of an argument.
        value: Placeholder of an option's value, empty for a switch and for arguments.
        meaning: One or more sentences.
        default: As it would be typed, empty where there is none.
        is_argument: Whether it stands without a name.
        required: Whether it must be given.
        variable: Environment variable that it is read from, or None.
    """

    names: tuple[str, ...]
    value: str
    meaning: str
    default: str
    is_argument: bool
    required: bool
    variable: str | None


@dataclass(frozen=True)
class Command:
    """A command, or a group of commands.

    Attributes:
        name: The whole of it: "queue list".
        help: What `--help` says.
        parameters: In order; None for a group.
    """

    name: str
    help: str
    parameters: tuple[Parameter, ...] | None


def commands(within: typer.Typer | None = None, prefix: str = "") -> Iterator[Command]:
    """Every command in the program's order; then every group, each before its commands."""
    within = within or whole_program()
    for info in within.registered_commands:
        if not info.hidden and info.callback is not None:
            name = info.name or info.callback.__name__.replace("_", "-")
            yield Command(prefix + name, _help(info.callback), tuple(_parameters(info.callback)))
    for group in within.registered_groups:
        inner = group.typer_instance
        if inner is not None and group.hidden is not True:
            name = _given(group.name) or _given(inner.info.name)
            yield _group(prefix + name, inner, _given(group.help) or _given(inner.info.help) or "")
            yield from commands(inner, f"{prefix}{name} ")


def _group(name: str, inner: typer.Typer, words: str) -> Command:
    """A group; one that does something by itself is a command, too."""
    own = inner.registered_callback
    if own is None or own.callback is None or not _given(inner.info.invoke_without_command):
        return Command(name, words, None)
    return Command(name, _help(own.callback), tuple(_parameters(own.callback)))


def _given(value: Any) -> Any:
    """What was set; Typer wraps what was not."""
    return getattr(value, "value", value)


def _help(function: Callable[..., Any]) -> str:
    return inspect.cleandoc(function.__doc__ or "").partition("\f")[0].strip()


def _parameters(function: Callable[..., Any]) -> Iterator[Parameter]:
    hints = get_type_hints(function, include_extras=True)
    for name, parameter in inspect.signature(function).parameters.items():
        if hints[name] is typer.Context:
            continue
        type_, *extras = get_args(hints[name])
        info = next(extra for extra in extras if isinstance(extra, (ArgumentInfo, OptionInfo)))
        if not info.hidden:
            yield _parameter(name, type_, info, parameter.default)


def _parameter(name: str, type_: Any, info: ArgumentInfo | OptionInfo, default: Any) -> Parameter:
    is_argument = isinstance(info, ArgumentInfo)
    inner = _inner(type_)
    word = info.metavar or _placeholder(inner)
    variable = info.envvar if isinstance(info.envvar, str) else None
    required = default is inspect.Parameter.empty
    return Parameter(
        names=((info.metavar or name.upper()),) if is_argument else _names(name, inner, _declared(info)),
        value="" if is_argument else word,
        meaning=info.help or "",
        default="" if required or info.show_default is False else _typed(default),
        is_argument=is_argument,
        required=required,
        variable=variable,
    )


def _inner(type_: Any) -> Any:
    """The type of one value: X of `X | None` and of `list[X]`."""
    if get_origin(type_) in {Union, UnionType, list, tuple}:
        return next(one for one in get_args(type_) if one is not NoneType)
    return type_


def _placeholder(type_: Any) -> str:
    if isinstance(type_, EnumType):
        return "|".join(str(getattr(one, "value", one)) for one in list[Any](type_))
    return _WORDS[type_]


def _declared(info: ArgumentInfo | OptionInfo) -> tuple[str, ...]:
    """The names that were given; within `Annotated` the first of them stands where a default would."""
    first = (info.default,) if isinstance(info.default, str) else ()
    return (*first, *(info.param_decls or ()))


def _names(name: str, type_: Any, declared: tuple[str, ...]) -> tuple[str, ...]:
    if declared:
        return declared
    option = f"--{name.strip('_').replace('_', '-')}"
    return (option, f"--no-{option[2:]}") if type_ is bool else (option,)


def _typed(default: Any) -> str:
    return "" if default in (None, False, [], ()) else str(_given(default))


# ---------------------------------------------------------------- the page


def exit_codes_reference() -> str:
    """The exit codes, with the sentence that stands below each in `eadm_sync/cli/exits.py`."""
    lines = inspect.getsource(exits).splitlines()
    rows = [
        (code(line.partition(" = ")[2]), lines[number + 1].strip().strip('"'))
        for number, line in enumerate(lines)
        if " = " in line
    ]
    return table(("exit code", "meaning"), rows)


def commands_reference() -> str:
    """All commands."""
    return "\n\n".join(map(_command, commands()))


def _command(command: Command) -> str:
    parts = [f"{'###' if ' ' in command.name else '##'} `{command.name}`", *map(_paragraph, command.help.split("\n\n"))]
    if command.parameters is not None:
        arguments = [one.names[0] for one in command.parameters if one.is_argument]
        options = [] if len(arguments) == len(command.parameters) else ["[OPTIONS]"]
        parts.append(f"```console\n$ {' '.join(['eadm-sync', command.name, *options, *arguments])}\n```")
    if command.parameters:
        parts.append(table(("argument or option", "meaning", "default"), map(_row, command.parameters)))
    return "\n\n".join(part for part in parts if part)


def _paragraph(text: str) -> str:
    r"""One paragraph of a help; those marked with \b are commands, line by line."""
    if not text.startswith("\b"):
        return plain(text)
    lines = text.removeprefix("\b").strip().splitlines()
    return "\n".join(["```console", *(f"$ {line.strip()}" for line in lines), "```"])


def _row(one: Parameter) -> tuple[str, str, str]:
    variable = f" From the environment: `{one.variable}`." if one.variable else ""
    default = "required" if one.required else code(one.default) if one.default else ""
    return code(f"{', '.join(one.names)} {one.value}".strip()), plain(one.meaning) + variable, default
