"""Beginning and checking an installation: init, check, schema, sample, migrate."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from eadm_sync.cli.exits import DONE, FAILED
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, line, note, styled, table

_MOST_PEOPLE = 1_000_000  # a larger town takes hours to invent, and soon runs out of national ids


class Schema(StrEnum):
    """What there is a JSON Schema of."""

    CONFIG = "config"
    RULESET = "ruleset"
    CASES = "cases"


def init(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="Where; made if it is not there.", show_default=False)
    ] = Path(),
) -> int:
    """Write a commented configuration and ruleset to begin with, and a fresh key file.

    What it writes runs as it stands, on a few invented people. Nothing is overwritten: if one of the files is there
    already, nothing is written at all.

    Example: eadm-sync init our-town

    Exit codes: 0 written, 1 something is there already or the folder cannot be written.
    """
    from eadm_sync.app.starting import start

    started = start(directory)
    for path in started.files:
        line(clean(path))
    line(f"{clean(started.key_file)}  (keep a copy in a safe place: without it what is encrypted is lost)")
    note("")
    note("Next:" if directory == Path() else f"Next, in {clean(directory)}:")
    note("  eadm-sync check     is everything right?")
    note("  eadm-sync plan      what would be done?")
    note("  eadm-sync sync      do it")
    return DONE


def check(
    offline: Annotated[bool, typer.Option("--offline", help="Leave sources and targets alone.")] = False,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Check everything: configuration, rulesets, key file, state, sources, targets.

    All problems of all files are told at once, with the line at fault. Then each source is opened and its mapping held
    against the columns it has, and each target is asked whether it lets us in. Nothing is changed.

    Example: eadm-sync check --offline

    Exit codes: 0 everything is right, 1 something is wrong.
    """
    from eadm_sync.app.checking import check as check_all
    from eadm_sync.cli.failing import tell_problem
    from eadm_sync.cli.installation import require
    from eadm_sync.clock import SystemClock

    require(config)
    report = check_all(config, SystemClock(), offline=offline)
    if as_ is Format.JSON:
        json_document({"right": report.is_right, "problems": report.problems, "parts": report.parts})
        return DONE if report.is_right else FAILED
    for problem in report.problems:
        tell_problem(problem)
    table(
        ("", "part", "name", "what"),
        (
            ("ok" if part.fault is None else "failed", part.kind, part.name, part.fault or part.detail)
            for part in report.parts
        ),
    )
    if offline:
        note("sources and targets were not opened")
    line(styled("everything is right", "green") if report.is_right else styled("something is wrong", "red"))
    return DONE if report.is_right else FAILED


def schema(what: Annotated[Schema, typer.Argument(help="Of which file.")]) -> int:
    """Print the JSON Schema of the configuration, rulesets or their tests, for editors that complete and check.

    Name it in the first line of a file: # yaml-language-server: $schema=config.schema.json

    Example: eadm-sync schema config > config.schema.json

    Exit codes: 0 printed.
    """
    from eadm_sync.app.starting import schema as schema_of

    json_document(schema_of(what))
    return DONE


def sample(
    directory: Annotated[Path, typer.Argument(metavar="DIR", help="Where; made if it is not there.")],
    people: Annotated[int, typer.Option(min=1, max=_MOST_PEOPLE, help="Human beings on the first day.")],
    seed: Annotated[int, typer.Option(help="Any whole number; the same one gives the same files.")] = 1,
    days: Annotated[int, typer.Option(min=0, help="Days after the first, each with an export of its own.")] = 0,
) -> int:
    """Write an invented Norwegian municipality: HR as CSV, school as OneRoster. Nobody in it is real.

    Without --days in hr/ and school/; with it in day-000/, day-001/, ..., and events.csv says what happened on each.
    Nothing is overwritten.

    Example: eadm-sync sample town --people 1000 --days 30

    Exit codes: 0 written, 1 something is there already or the folder cannot be written.
    """
    from eadm_sync.cli.progress import watched
    from eadm_sync.sample import write

    with watched() as progress:
        try:
            written = write(
                directory,
                people=people,
                seed=seed,
                days=days,
                progress=lambda done, total: progress("writing files", done, total),
            )
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
    line(
        f"{written.people} people in {clean(directory)}: {written.employees} in HR ({written.externals} external), "
        f"{written.pupils} pupils, {written.teachers} teachers, {written.units} units, "
        f"{written.class_groups} class groups; {len(written.files)} files"
        + (f", {written.events} events in {days} days" if days else "")
    )
    return DONE


def migrate(config: Config = CONFIG) -> int:
    """Create the state database, or bring it to this version of the program. Everything in it is kept.

    `sync` does so by itself; commands that only read ask for it.

    Example: eadm-sync migrate

    Exit codes: 0 done, 1 it cannot be opened, or a newer program made it.
    """
    from eadm_sync.app.starting import migrate as migrate_state
    from eadm_sync.cli.installation import installation

    revision = migrate_state(installation(config))
    line(f"the state database is of version {revision}")
    return DONE


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    for command in (init, check, schema, sample, migrate):
        program.command()(command)
