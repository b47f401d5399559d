"""For operators: what a run did, and what is old."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from eadm_sync.cli.exits import DONE
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, line, many


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
    """Remove what is old: finished changes, runs with their reports, daemons that are gone.

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
    )
    told = ", ".join(many(*part) for part in parts if part[0])
    line(f"{'would be removed' if dry_run else 'removed'}: {told or 'nothing'}")
    return DONE


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    for command in (report, housekeeping):
        program.command()(command)
