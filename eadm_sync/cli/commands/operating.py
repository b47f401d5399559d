"""For operators: what a run did, what is old, and who is to be forgotten."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from eadm_sync.cli.asking import ask, require_terminal
from eadm_sync.cli.exits import DECLINED, DONE, FAILED, HELD
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, line, many, note, table

if TYPE_CHECKING:
    from eadm_sync.app.purging import PurgeReport


class ReportFormat(StrEnum):
    """How a report is shown."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def report(
    run_id: Annotated[str, typer.Argument(metavar="[RUN]", help="Its id, or 'last'.")] = "last",
    config: Config = CONFIG,
    form: Annotated[
        ReportFormat, typer.Option("--format", "-f", help="Text for people, JSON for programs, Markdown for a ticket.")
    ] = ReportFormat.TEXT,
) -> int:
    """Show what a run did: sources, what was planned, held and delivered, what is left, and what to do about it.

    \b
    eadm-sync report
    eadm-sync report 20261122T220342-1f0c7a92 --format markdown

    It names people by their ids only. The text is kept in the state as well, as it was when the run ended.

    Exit codes: 0 shown, 1 there is no such run.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app.reporting import report_of, text_lines

    found = report_of(installation(config), run_id)
    match form:
        case ReportFormat.JSON:
            json_document(found)
        case ReportFormat.MARKDOWN:
            from eadm_sync.cli.showing.markdown import show_report

            show_report(found)
        case ReportFormat.TEXT:
            for text in text_lines(found):
                line(clean(text))
    return DONE


def housekeeping(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be removed.")] = False,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Remove what is old: finished changes, runs with their reports, daemons that are gone, first passwords not used.

    How old is a matter of `housekeeping` in the configuration. Nothing goes that says who has what or who changed it:
    people, known state, versions of the rules and the audit stay.

    Example: eadm-sync housekeeping --dry-run

    Exit codes: 0 done, 1 error.
    """
    from eadm_sync.app.housekeeping import housekeep, preview

    found = (preview if dry_run else housekeep)(installation(config))
    if as_ is Format.JSON:
        json_document(found)
        return DONE
    parts = (
        (found.items, "finished change", None),
        (found.runs, "run", None),
        (found.plans, "plan without changes", "plans without changes"),
        (found.requests, "answered request", None),
        (found.daemons, "daemon that is gone", "daemons that are gone"),
        (found.passwords, "first password whose last day is over", "first passwords whose last day is over"),
    )
    told = ", ".join(many(*part) for part in parts if part[0])
    line(f"{'would be removed' if dry_run else 'removed'}: {told or 'nothing'}")
    return DONE


def purge(
    person: Annotated[
        str | None,
        typer.Option(metavar="ID", help="Only this person, before `purge_days` are over.", show_default=False),
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="Let more people go than `max_purged` allows.")] = False,
    reason: Annotated[str | None, typer.Option(help="Why, for the audit.", show_default=False)] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say who would be forgotten.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")] = False,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Forget people who are gone for good: their records, names and what the audit told of them.

    That is whoever has been missing from every source, and without an account anywhere, for `lifecycle.purge_days`.
    Their usernames and the like stay reserved as keyed hashes. It cannot be undone. Scheduled housekeeping does it too.

    Example: eadm-sync purge --dry-run

    Exit codes: 0 done, 1 error, 3 there are more people than may be forgotten at once, 4 declined.
    """
    from eadm_sync.app.purging import HOLD, preview_purge
    from eadm_sync.app.purging import purge as forget

    if (release or person) and not reason and not dry_run:
        note("error: say why, with --reason")
        return FAILED
    context = installation(config)
    found = preview_purge(context, only=person)
    held = found.held and not release
    if not dry_run and not held and found.due and not yes:
        _show_purge(found, as_)
        require_terminal("say --yes")
        if not ask(f"Forget {many(len(found.due), 'person', 'people')} for good? [y/N] "):
            return DECLINED
    if not dry_run and not held:
        found = forget(context, only=person, released=frozenset({HOLD} if release else ()), reason=reason)
    _show_purge(found, as_)
    return HELD if held else DONE


def _show_purge(found: PurgeReport, as_: Format) -> None:
    if as_ is Format.JSON:
        json_document(found)
        return
    if found.due and not found.purged:
        table(
            ("person", "name", "gone since", "names"),
            ((one.person, one.name, one.gone_since, one.names) for one in found.due),
        )
    people = many(found.purged or len(found.due), "person", "people")
    line(f"{'forgotten' if found.purged else 'to be forgotten'}: {people if found.due else 'nobody'}")
    if found.held:
        note(f"held: at most {found.limit} may be forgotten at once")
        note("if they are meant: eadm-sync purge --release --reason '…'")


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    for command in (report, housekeeping, purge):
        program.command()(command)
