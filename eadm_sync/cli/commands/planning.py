"""The main job: plan, sync, apply, deliver; and why: explain, why-not."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eadm_sync.cli.asking import ask, require_terminal
from eadm_sync.cli.exits import DECLINED, DONE, FAILED, HELD
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format, Reason, Release
from eadm_sync.cli.output import json_document, line, note, on_terminal

if TYPE_CHECKING:
    from datetime import date

    from eadm_sync.app.context import Context
    from eadm_sync.app.planning import Planned
    from eadm_sync.app.syncing import SyncReport
    from eadm_sync.app.tracing import Stranger
    from eadm_sync.cli.showing.preview import Preview
    from eadm_sync.cli.showing.waiting import Bars


class PlanFormat(StrEnum):
    """How a plan is shown."""

    TABLE = "table"
    JSON = "json"
    MARKDOWN = "markdown"
    HTML = "html"


_SHOWN_ON_A_TERMINAL = 50  # people; more than a few screens are read with a pager or in a file

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]
Done = Annotated[
    Format, typer.Option("--format", "-f", help="What was done: a table for people, or JSON for programs.")
]
NoDeliver = Annotated[
    bool, typer.Option("--no-deliver", help="Leave the changes in the export queue, for `deliver` or a worker.")
]


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.command()(plan)
    program.command()(sync)
    program.command()(apply)
    program.command()(deliver)
    program.command()(explain)
    program.command("why-not")(why_not)


def plan(  # noqa: PLR0913, PLR0917 - one for each option
    config: Config = CONFIG,
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="Only changes in this target.")] = None,
    person: Annotated[
        str | None, typer.Option(metavar="PERSON", help="Only this person: id, key in a source, username or name.")
    ] = None,
    rule: Annotated[str | None, typer.Option(metavar="RULE", help="Only what this rule gives or gave.")] = None,
    out: Annotated[
        Path | None, typer.Option("--out", "-o", metavar="FILE", help="Save the whole plan, for review and `apply`.")
    ] = None,
    form: Annotated[
        PlanFormat, typer.Option("--format", "-f", help="Text for people, JSON for programs, or a document to review.")
    ] = PlanFormat.TABLE,
    limit: Annotated[
        int | None,
        typer.Option(min=0, metavar="N", help="Show so many people and groups. Default: 50 on a terminal, else all."),
    ] = None,
    release: Release = [],  # noqa: B006 - typer copies it
    reason: Reason = None,
    rulesets: Annotated[
        list[Path],
        typer.Option("--rulesets", metavar="DIR", help="Instead: what would change if these rules were in force."),
    ] = [],  # noqa: B006 - as above
    as_of: Annotated[
        datetime | None,
        typer.Option(
            "--as-of",
            formats=["%Y-%m-%d"],
            metavar="DATE",
            help="Instead of today, as on this day to come: 2027-08-15. To be looked at only.",
        ),
    ] = None,
) -> None:
    """Show what `sync` would do, and do nothing.

    \b
    eadm-sync plan
    eadm-sync plan --target ad --person hr:1001
    eadm-sync plan --format html > plan.html
    eadm-sync plan --out plan.jsonl, and when it is approved: eadm-sync apply plan.jsonl
    eadm-sync plan --rulesets ../pull-request/rulesets --format markdown
    eadm-sync plan --as-of 2027-08-15

    Exit codes: 0 nothing to do, 2 there are changes, 3 a brake holds some of it, or `correlate` asks about somebody,
    1 something failed or a source could not be read. They speak of what you narrowed it to; a held or unreadable source
    always counts.
    """  # noqa: D301 - click reads the backslash
    if rulesets:
        others = bool(target or person or rule or out or as_of)
        raise typer.Exit(_compare(config, rulesets, form, limit, narrowed=others))
    _ = reason  # taken so that a `sync` can be rehearsed as it will be typed
    from eadm_sync.app.approving import save
    from eadm_sync.app.narrowing import narrowed, tally
    from eadm_sync.cli.showing.preview import Preview, config_option
    from eadm_sync.cli.showing.waiting import Bars

    context = installation(config)
    day = None if as_of is None else _day_to_come(context, as_of.date(), out)
    only = {"target": target, "person": person, "rule": rule}
    with (
        context.reading() as database,
        Bars() as bars,
        narrowed(context, database, **only, released=frozenset(release), progress=bars, as_of=day) as (made, selection),
    ):
        preview = Preview(made, selection, tally(made.plan, selection), config_option(config))
        bars.stop()
        if out is not None:
            save(context, made.plan, out)
        _show(preview, form, limit)
        _say_what_failed(preview)
    if out is not None:
        note(f"saved; apply it with: eadm-sync apply{preview.config} {shlex.quote(str(out))}")
    raise typer.Exit(preview.exit_code)


def _day_to_come(context: Context, day: date, out: Path | None) -> date | None:
    """The day of `--as-of`, or None where that is today."""
    from eadm_sync.clock import today

    now = today(context.clock, context.loaded.settings.organisation.zone)
    if day < now:
        raise typer.BadParameter(
            f"{day} is over; `audit as-of {day}` says who had what on a day that has been", param_hint="--as-of"
        )
    if out is not None and day != now:
        raise typer.BadParameter(
            "what is planned for another day is to be looked at only: it cannot be saved and applied",
            param_hint="--out",
        )
    return None if day == now else day


def _compare(config: Path, rulesets: list[Path], form: PlanFormat, limit: int | None, *, narrowed: bool) -> int:
    """`plan --rulesets`: the same as `ruleset compare`."""
    from eadm_sync.cli.commands.ruleset import CompareFormat, show_comparison

    if narrowed or form is PlanFormat.HTML:
        raise typer.BadParameter("goes with --format table, json or markdown and --limit only", param_hint="--rulesets")
    return show_comparison(config, rulesets, CompareFormat(form.value), limit)


def sync(
    config: Config = CONFIG,
    yes: Yes = False,
    no_deliver: NoDeliver = False,
    release: Release = [],  # noqa: B006 - typer copies it
    reason: Reason = None,
    author: Annotated[
        str | None, typer.Option(metavar="NAME", help="Who answers for the rules, for the audit. Default: you.")
    ] = None,
    form: Done = Format.TABLE,
) -> None:
    """Plan, ask, put the changes into the export queue, deliver them, report.

    \b
    eadm-sync sync
    eadm-sync sync --yes --no-deliver
    eadm-sync sync --release hr.vanished --reason "School closed, confirmed by HR"

    Exit codes: 0 done, 3 done but for what a brake holds or `correlate` asks about, 1 something failed, was refused, is
    left, or a source or target did not tell what it has; 4 you said no, nothing was written.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app import syncing

    require_answer(form, yes=yes)
    require_reason(release, reason)
    context = installation(config)
    context.author = author
    released = frozenset(release)

    def run(confirm: Callable[[Planned], bool], bars: Bars) -> SyncReport:
        return syncing.sync(context, confirm, deliver=not no_deliver, released=released, reason=reason, progress=bars)

    raise typer.Exit(run_asked(run, context, config, form, yes=yes, delivered=not no_deliver))


def apply(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plan that `plan --out` saved.")],
    config: Config = CONFIG,
    yes: Yes = False,
    no_deliver: NoDeliver = False,
    reason: Reason = None,
    form: Done = Format.TABLE,
) -> None:
    """Do what a saved plan says, if it still is exactly what would happen.

    \b
    eadm-sync plan --out plan.jsonl
    eadm-sync apply plan.jsonl

    The plan is made anew and compared; nothing that stands in the file is carried out. Where anything has moved since,
    all that moved is said and nothing is done.

    Exit codes: as `sync`; 1 also where the plan no longer holds.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app import syncing
    from eadm_sync.plan import saved

    require_answer(form, yes=yes)
    header = saved.read_header(file)
    require_reason(list(header.basis.released), reason)
    context = installation(config)

    def run(confirm: Callable[[Planned], bool], bars: Bars) -> SyncReport:
        return syncing.apply_saved(context, file, confirm, deliver=not no_deliver, reason=reason, progress=bars)

    raise typer.Exit(run_asked(run, context, config, form, yes=yes, delivered=not no_deliver))


def deliver(
    config: Config = CONFIG,
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="Only to this target.")] = None,
    form: Done = Format.TABLE,
) -> None:
    """Deliver what is in the export queue: after `--no-deliver`, or when a target is back.

    \b
    eadm-sync deliver
    eadm-sync deliver --target ad

    Exit codes: 0 everything is delivered, 1 something failed, was refused or is left.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app.delivering import deliver as deliver_queued
    from eadm_sync.cli.showing.preview import config_option
    from eadm_sync.cli.showing.text import show_delivery
    from eadm_sync.cli.showing.waiting import Bars

    context = installation(config)
    with Bars() as bars:
        reports = deliver_queued(context, only=target, progress=bars)
    is_complete = all(report.is_complete for report in reports)
    if form is Format.JSON:
        json_document({"complete": is_complete, "targets": reports})
    else:
        show_delivery(reports, config_option(config))
    raise typer.Exit(DONE if is_complete else FAILED)


Person = Annotated[
    str, typer.Argument(metavar="PERSON", help="Id, key in a source, username or other identifier, or full name.")
]


Look = Annotated[
    bool,
    typer.Option("--source", help="Read the sources for the person's rows, too: file, line, and what is filtered."),
]


def explain(
    person: Person,
    config: Config = CONFIG,
    form: As = Format.TABLE,
    every_rule: Annotated[bool, typer.Option("--all", help="Also the rules that do not hold.")] = False,
    source: Look = False,
) -> None:
    """Say why somebody has what they have, from the source's row to what the target said last.

    \b
    eadm-sync explain hr:1001
    eadm-sync explain karnor --all

    Speaks of people as the last accepted import left them. Of somebody whom no import took over, it says what the
    quarantine and the sources know of them.

    Exit codes: 0 explained, 1 nobody or several are called that.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app.explaining import explained
    from eadm_sync.app.tracing import Stranger as Unknown
    from eadm_sync.cli.showing import explanation

    why = explained(installation(config), person, look=source)
    if isinstance(why, Unknown):
        _show_stranger(why, form)
    elif form is Format.JSON:
        json_document(explanation.as_data(why))
    else:
        for text in explanation.lines(why, every_rule=every_rule):
            line(text)


def _show_stranger(stranger: Stranger, form: Format) -> None:
    """What is known of somebody whom no import took over."""
    from eadm_sync.cli.showing.tracing import stranger_data, stranger_lines

    if form is Format.JSON:
        json_document(stranger_data(stranger))
        return
    for text in stranger_lines(stranger):
        line(text)


def why_not(
    person: Person,
    what: Annotated[str, typer.Argument(metavar="TARGET|GROUP|LICENCE", help="What the person does not have.")],
    config: Config = CONFIG,
    form: As = Format.TABLE,
    source: Look = False,
) -> None:
    """Say why somebody has no account in a target, is not in a group, or lacks a licence.

    \b
    eadm-sync why-not hr:1001 ad
    eadm-sync why-not karnor STANDARDWOFFPACK_FACULTY

    Exit codes: 0 answered, 1 there is no such person or thing.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app.explaining import why_not as ask_why_not
    from eadm_sync.app.tracing import Stranger as Unknown
    from eadm_sync.cli.showing import explanation

    answer = ask_why_not(installation(config), person, what, look=source)
    if isinstance(answer, Unknown):
        _show_stranger(answer, form)
    elif form is Format.JSON:
        json_document(explanation.why_not_data(answer))
    else:
        for text in explanation.why_not_lines(answer):
            line(text)


# ---------------------------------------------------------------- plan


def _show(preview: Preview, form: PlanFormat, limit: int | None) -> None:
    if limit is None and form is PlanFormat.TABLE and on_terminal():
        limit = _SHOWN_ON_A_TERMINAL
    match form:
        case PlanFormat.TABLE:
            from eadm_sync.cli.showing.text import show_plan

            show_plan(preview, limit)
        case PlanFormat.JSON:
            from eadm_sync.cli.showing.documents import show_json

            show_json(preview, limit)
        case PlanFormat.MARKDOWN:
            from eadm_sync.cli.showing.markdown import show_markdown

            show_markdown(preview, limit)
        case PlanFormat.HTML:
            from eadm_sync.cli.showing.html import show_html

            show_html(preview, limit)


def _say_what_failed(preview: Preview) -> None:
    """Whoever looks at standard error only, as a scheduler's mail does, hears of failures too."""
    from eadm_sync.cli.showing.preview import notices

    for notice in notices(preview):
        if notice.is_failure and not on_terminal():
            note(f"error: {notice.text}")


# ---------------------------------------------------------------- sync and apply


def run_asked(
    run: Callable[[Callable[[Planned], bool], Bars], SyncReport],
    context: Context,
    config: Path,
    form: Format,
    *,
    yes: bool,
    delivered: bool,
    show: Callable[[Preview], None] | None = None,
) -> int:
    """Shows (its summary, if nothing else is said), asks, runs, reports; returns the exit code."""
    from eadm_sync.app.narrowing import Selection, tally
    from eadm_sync.cli.showing.preview import Preview, config_option
    from eadm_sync.cli.showing.text import show_report, show_summary
    from eadm_sync.cli.showing.waiting import Bars

    is_held = False

    def confirm(made: Planned) -> bool:
        nonlocal is_held
        is_held = made.is_held
        everything = Selection()
        preview = Preview(made, everything, tally(made.plan, everything), config_option(config))
        bars.stop()
        if form is Format.TABLE:
            (show or show_summary)(preview)
        _say_what_failed(preview)
        sys.stdout.flush()
        return yes or not made.plan.changes or ask("Do this? [y/N] ")

    with Bars() as bars:
        report = run(confirm, bars)
    if form is Format.JSON:
        from eadm_sync.app.reporting import report_of

        json_document(report_of(context, report.run_id))
    elif report.accepted:
        show_report(report, config_option(config), delivered=delivered)
    else:
        line("Nothing was written.")
    if not report.accepted:
        return DECLINED
    if not report.is_complete or report.problems:
        return FAILED
    return HELD if is_held or report.undecided else DONE


def require_answer(form: Format, *, yes: bool) -> None:
    """Ends the program where nobody could be asked, before anything is done."""
    if form is Format.JSON and not yes:
        note(
            "error: --format json shows nothing to say yes to; look at `plan` first, then give --yes. Nothing was done."
        )
        raise typer.Exit(FAILED)
    if not yes:
        require_terminal("look at `plan` first, then give --yes")


def require_reason(released: list[str], reason: str | None) -> None:
    """Ends the program where a hold is let go and nobody says why."""
    if released and not (reason and reason.strip()):
        note(f'error: say why {", ".join(released)} is let go: --reason "…" is kept in the audit. Nothing was done.')
        raise typer.Exit(FAILED)
