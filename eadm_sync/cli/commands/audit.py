"""The audit: list, verify, checkpoint, and who had what on a day."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eadm_sync.cli.exits import DONE, FAILED
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import csv_table, json_document, json_list, line, many, note, table

if TYPE_CHECKING:
    from eadm_sync.app.auditing import Wanted


class ListFormat(StrEnum):
    """How long lists are shown."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


AsList = Annotated[ListFormat, typer.Option("--format", "-f", help="A table for people, JSON or CSV for programs.")]
Day = Annotated[str, typer.Argument(metavar="DATE", help="A day, as 2026-08-17: its end. Or a moment in ISO 8601.")]
Since = Annotated[str | None, typer.Option(metavar="DATE", help="From this day or moment on.")]
Until = Annotated[str | None, typer.Option(metavar="DATE", help="Up to the end of this day, or to this moment.")]
Person = Annotated[str | None, typer.Option(metavar="PERSON", help="Only of this person, whatever they are called by.")]
Target = Annotated[str | None, typer.Option(metavar="TARGET", help="Only in this target.")]
Expected = Annotated[
    list[str],
    typer.Option(metavar="DIGEST", help="What 'audit checkpoint' printed and was kept elsewhere. Also several times."),
]

audit = typer.Typer(help="What was done, when, by whom and why; and that nobody changed it.", no_args_is_help=True)


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.add_typer(audit, name="audit")


@audit.command("list")
def audit_list(  # noqa: PLR0913, PLR0917 - one for each option
    config: Config = CONFIG,
    form: AsList = ListFormat.TABLE,
    since: Since = None,
    until: Until = None,
    person: Person = None,
    target: Target = None,
    kind: Annotated[str | None, typer.Option(metavar="KIND", help="account, membership, hold, ruleset, …")] = None,
    action: Annotated[str | None, typer.Option(metavar="ACTION", help="create, release, pause, …")] = None,
    actor: Annotated[str | None, typer.Option(metavar="USER", help="Only what this user did.")] = None,
    run: Annotated[str | None, typer.Option(metavar="RUN", help="Only what this run did.")] = None,
) -> int:
    """List the audit, the earliest first: all of it, or the lines for which all that is given holds.

    What was delivered has the actor `eadm-sync` and the run that planned it; what somebody did by hand has the user.

    Example: eadm-sync audit list --since 2026-08-17 --action delete --format csv

    Exit codes: 0 listed, 1 nobody or several are called that.
    """
    from eadm_sync.app.auditing import Wanted, audit_lines
    from eadm_sync.cli.showing.auditing import LINES, line_row
    from eadm_sync.cli.showing.rulesets import AUDIT, audit_row

    wanted: Wanted = Wanted(_day(since), _day(until), person, target, kind, action, actor, run)
    rows = audit_lines(installation(config), wanted)
    if form is ListFormat.TABLE:
        table(AUDIT, map(audit_row, rows))
    else:
        _show(form, LINES, rows, line_row)
    return DONE


@audit.command("verify")
def audit_verify(config: Config = CONFIG, form: As = Format.TABLE, expect: Expected = []) -> int:  # noqa: B006 - typer's
    """Verify that every line of the audit is as it was written, and that none is missing or was added.

    Lines that were cut off at the very end, with all that the database knows of them, are noticed only where a digest
    that `audit checkpoint` printed later than those lines was kept elsewhere: give it with --expect.

    Example: eadm-sync audit verify --expect 5c0ffee…

    Exit codes: 0 all is as it was written, 1 it is not; the first line at fault is named.
    """
    from eadm_sync.app.auditing import verify
    from eadm_sync.cli.showing.auditing import in_words

    found = verify(installation(config), [_digest(one) for one in expect])
    if form is Format.JSON:
        json_document(found)
        return FAILED if found.faults else DONE
    line(f"{many(found.lines, 'line')}, the last is {found.last}")
    if found.forgotten:
        line(f"the details of {many(found.forgotten, 'line')} were purged with the people they told of")
    if found.uncovered:
        line(f"{many(found.uncovered, 'line')} of an older program could have been changed: run 'eadm-sync migrate'")
    for fault in found.faults:
        note(f"error: {in_words(fault)}")
    if not found.faults:
        line("all of it is as it was written")
    return FAILED if found.faults else DONE


@audit.command("checkpoint")
def audit_checkpoint(config: Config = CONFIG, form: As = Format.TABLE) -> int:
    """Write a line that commits to the whole audit, and print its digest, to be kept on another machine.

    Whoever has the digest can tell later whether anything of what the audit holds now is missing or was changed, even
    if somebody who has both database and key file did it. The housekeeping job does the same and logs the digest.

    Example: eadm-sync audit checkpoint | ssh elsewhere 'cat >> digests'

    Exit codes: 0 written, 1 error.
    """
    from eadm_sync.app.auditing import checkpoint

    number, digest = checkpoint(installation(config))
    if form is Format.JSON:
        json_document({"line": number, "digest": digest})
    else:
        line(digest)
    return DONE


@audit.command("as-of")
def audit_as_of(
    when: Day,
    config: Config = CONFIG,
    form: AsList = ListFormat.TABLE,
    person: Person = None,
    target: Target = None,
    group: Annotated[
        str | None, typer.Option(metavar="GROUP", help="Only this group, by key, and its members.")
    ] = None,
    licence: Annotated[str | None, typer.Option(metavar="SKU", help="Only who had this product.")] = None,
) -> int:
    """Show who had what on a day: accounts, groups, memberships and licences that targets were known to hold.

    It is put together from the audit. Of people who were purged since, accounts, memberships and licences are listed,
    attributes are not.

    Example: eadm-sync audit as-of 2026-08-17 --person hr:1001

    Exit codes: 0 shown, 1 there is no such person or target.
    """
    from eadm_sync.app.auditing import as_of
    from eadm_sync.cli.showing.auditing import HELD, held_row

    day = _day(when)
    assert day is not None  # noqa: S101 - it was given
    found = as_of(installation(config), day, person=person, target=target, group=group, licence=licence)
    _show(form, HELD, found, held_row)
    return DONE


def _show(form: ListFormat, headings: tuple[str, ...], rows: Iterable[Any], row: Any) -> None:
    if form is ListFormat.JSON:
        json_list(rows)
    elif form is ListFormat.CSV:
        csv_table(headings, map(row, rows))
    else:
        table(headings, map(row, rows))


def _day(text: str | None) -> date | datetime | None:
    """A day, or a moment with its time zone; one without is local.

    Raises:
        typer.BadParameter: It is neither.
    """
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise typer.BadParameter(
            f"'{text}' is no day such as 2026-08-17, and no moment such as 2026-08-17T12:30"
        ) from error


def _digest(text: str) -> bytes:
    try:
        return bytes.fromhex(text)
    except ValueError as error:
        raise typer.BadParameter(f"'{text}' is no digest: 64 hexadecimal characters") from error
