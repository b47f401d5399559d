"""What there is: people, accounts, runs, quarantine, status."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable
from enum import StrEnum
from itertools import chain, islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eadm_sync.cli.commands.standing import status
from eadm_sync.cli.exits import DONE
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, json_list, line, pairs, section, styled, table

if TYPE_CHECKING:
    from eadm_sync.app.listing import AccountDetail, PersonDetail


class Stage(StrEnum):
    """Lifecycle stages (`eadm_sync.lifecycle.Stage`, which is too much to load for --help; a test compares them)."""

    FUTURE = "future"
    PREHIRE = "pre-hire"
    ACTIVE = "active"
    LEAVE = "leave"
    GRACE = "grace"
    EXTENDED = "extended"
    STOPPED = "stopped"
    ENDED = "ended"


people = typer.Typer(help="People, as the last import left them.", no_args_is_help=True)
accounts = typer.Typer(help="Accounts that targets are known to hold.", no_args_is_help=True)
runs = typer.Typer(help="What was done, when, by whom.", no_args_is_help=True)
quarantine = typer.Typer(help="Rows and values that imports left out.", no_args_is_help=True)

Person = Annotated[str, typer.Argument(metavar="PERSON", help="Id (hr:1001), key in a source, username, or full name.")]


def rows(headings: tuple[str, ...], fields: tuple[str, ...], values: Iterable[Any], as_: Format) -> None:
    """A list: a table of some fields, or JSON with all of them."""
    with contextlib.closing(_closable(values)) as found:
        each = chain(list(islice(found, 1)), found)  # what is wrong with the question shows before anything is printed
        if as_ is Format.JSON:
            json_list(each)
        else:
            table(headings, ([getattr(one, field) for field in fields] for one in each))


def _closable(values: Iterable[Any]) -> Generator[Any, None, None]:
    """A generator over values, which can be closed before its end: it may hold a connection."""
    yield from values


# ---------------------------------------------------------------- people


@people.command("list")
def people_list(
    search: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only whose name, id or an identifier holds this text.")
    ] = None,
    stage: Annotated[Stage | None, typer.Option(help="Only those at this stage of the lifecycle.")] = None,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """List people.

    Example: eadm-sync people list --search hansen --stage active

    Exit codes: 0 listed (also if there is nobody), 1 error.
    """
    from eadm_sync.app import listing
    from eadm_sync.lifecycle import Stage as LifecycleStage

    found = listing.people(
        installation(config), search=search, stage=None if stage is None else LifecycleStage(stage.value)
    )
    rows(
        ("id", "name", "stage", "kinds", "units", "accounts", "next change"),
        ("id", "name", "stage", "kinds", "units", "accounts", "due"),
        found,
        as_,
    )
    return DONE


@people.command("show")
def people_show(person: Person, config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Show one person: fields, affiliations, source records, identifiers, accounts. Sensitive values are hidden.

    Example: eadm-sync people show hr:1001

    Exit codes: 0 shown, 1 nobody or several people are called so.
    """
    from eadm_sync.app import listing

    found = listing.person(installation(config), person)
    if as_ is Format.JSON:
        json_document(found)
    else:
        _show_person(found)
    return DONE


def _show_person(found: PersonDetail) -> None:
    person = found.person
    line(styled(f"{clean(person.name)}  {clean(person.id)}", "bold"))
    pairs(
        {
            "stage": person.stage,
            "next change": person.due,
            "looked at by the next run": person.pending or None,
            **found.fields,
            **{f"identifier {name}": value for name, value in found.identifiers.items()},
        }
    )
    section(
        "Affiliations",
        ("id", "kind", "unit", "title", "fraction", "from", "to", "primary", "leave", "classes", "further"),
        [
            (
                *(one.id, one.kind, one.unit, one.title, one.fraction, one.start, one.end, one.primary, one.leave),
                [each.code for each in one.classes],
                [f"{name}={value}" for name, value in one.extra.items()],
            )
            for one in found.affiliations
        ],
    )
    section(
        "Source records",
        ("source", "key", "absent since"),
        [(one.source, one.key, one.absent_since) for one in found.records],
    )
    for account in found.accounts:
        _show_account(account)


# ---------------------------------------------------------------- accounts


@accounts.command("list")
def accounts_list(
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="Only in this target.")] = None,
    person: Annotated[str | None, typer.Option(metavar="PERSON", help="Only of this person.")] = None,
    disabled: Annotated[bool, typer.Option("--disabled", help="Only disabled ones.")] = False,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """List accounts.

    Example: eadm-sync accounts list --target ad --disabled

    Exit codes: 0 listed (also if there are none), 1 error.
    """
    from eadm_sync.app import listing

    rows(
        ("person", "name", "target", "account", "enabled", "deactivated", "container", "rule"),
        ("person", "name", "target", "account", "enabled", "deactivated_on", "container", "rule"),
        listing.accounts(installation(config), target=target, person=person, disabled=disabled),
        as_,
    )
    return DONE


@accounts.command("show")
def accounts_show(
    name: Annotated[str, typer.Argument(metavar="PERSON|ANCHOR", help="A person, or the target's own id.")],
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Show an account, or all accounts of a person: attributes, groups, licences, and the rules that gave them.

    Example: eadm-sync accounts show olanor

    Exit codes: 0 shown, 1 nothing or several people are called so.
    """
    from eadm_sync.app import listing

    found = listing.account(installation(config), name)
    if as_ is Format.JSON:
        json_list(found)
        return DONE
    if not found:
        line("no accounts")
    for account in found:
        _show_account(account)
    return DONE


def _show_account(found: AccountDetail) -> None:
    account = found.account
    line()
    line(styled(f"{clean(account.target)}: {clean(account.account or account.anchor)}", "bold"))
    pairs(
        {
            "person": f"{account.person} {account.name or ''}",
            "enabled": account.enabled,
            "deactivated": account.deactivated_on,
            "container": account.container,
            "anchor": account.anchor,
            "rule": account.rule,
            "ruleset": found.ruleset,
        }
    )
    section("Attributes", ("attribute", "value"), list(found.attributes.items()))
    section("Groups", ("group", "role", "rule"), [(one.group, one.role, one.rule) for one in found.memberships])
    section("Licences", ("licence", "rule"), [(one.sku, one.rule) for one in found.licences])


# ---------------------------------------------------------------- runs and quarantine


@runs.command("list")
def runs_list(config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """List runs, the latest first. One that is `running` and is not any more was killed.

    Example: eadm-sync runs list

    Exit codes: 0 listed, 1 error.
    """
    from eadm_sync.app import listing

    rows(
        ("id", "command", "by", "started", "finished", "result"),
        ("id", "command", "actor", "started_at", "finished_at", "status"),
        listing.runs(installation(config)),
        as_,
    )
    return DONE


@runs.command("show")
def runs_show(
    run_id: Annotated[str, typer.Argument(metavar="RUN", help="Its id, or 'last'.")] = "last",
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Show one run with its report: the same as `report`.

    Example: eadm-sync runs show last

    Exit codes: 0 shown, 1 there is no such run.
    """
    from eadm_sync.cli.commands.operating import ReportFormat, report

    return report(run_id, config, ReportFormat.JSON if as_ is Format.JSON else ReportFormat.TEXT)


@quarantine.command("list")
def quarantine_list(
    source: Annotated[str | None, typer.Option(metavar="SOURCE", help="Only of this source.")] = None,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """List rows and values that imports left out, with file, line and reason. They never show the value at fault.

    Example: eadm-sync quarantine list --source hr

    Exit codes: 0 listed (also if there is nothing), 1 error.
    """
    from eadm_sync.app import listing

    rows(
        ("id", "source", "kind", "file", "line", "key", "field", "reason", "since"),
        ("id", "source", "kind", "file", "line", "key", "field", "reason", "since"),
        listing.quarantine(installation(config), source=source),
        as_,
    )
    return DONE


@quarantine.command("show")
def quarantine_show(
    row_id: Annotated[int, typer.Argument(metavar="ID", help="As `quarantine list` tells it.")],
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Show one of them.

    Example: eadm-sync quarantine show 3

    Exit codes: 0 shown, 1 there is none with this id.
    """
    from eadm_sync.app import listing

    found = listing.quarantined(installation(config), row_id)
    if as_ is Format.JSON:
        json_document(found)
        return DONE
    line(styled(f"{clean(found.file)}:{found.line}" if found.file else clean(found.source), "bold"))
    pairs({name: getattr(found, name) for name in ("id", "source", "kind", "key", "field", "reason", "since")})
    return DONE


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.add_typer(people, name="people")
    program.add_typer(accounts, name="accounts")
    program.add_typer(runs, name="runs")
    program.add_typer(quarantine, name="quarantine")
    program.command()(status)
