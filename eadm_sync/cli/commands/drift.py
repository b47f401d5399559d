"""What was changed in targets by hand: reconcile, drift, reexport."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from eadm_sync.cli.commands.planning import Done, NoDeliver, Yes, require_answer, require_reason, run_asked
from eadm_sync.cli.commands.previewing import preview
from eadm_sync.cli.exits import CHANGES, DONE, FAILED, HELD
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format, Release
from eadm_sync.cli.output import clean, json_document, json_list, line, many, note, on_terminal, section, styled, table

if TYPE_CHECKING:
    from pathlib import Path

    from eadm_sync.app.context import Context
    from eadm_sync.app.planning import Planned
    from eadm_sync.app.reconciling import TargetDrift
    from eadm_sync.app.reexporting import Choice, Reexport
    from eadm_sync.app.syncing import SyncReport
    from eadm_sync.cli.showing.preview import Preview
    from eadm_sync.cli.showing.waiting import Bars

_SHOWN = 50  # people on a terminal: a few screens

drift = typer.Typer(help="What was changed in targets by hand and waits for a decision.", no_args_is_help=True)

Numbers = Annotated[list[int], typer.Argument(metavar="ID...", help="Numbers, as `drift list` shows them.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")]


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.command()(reconcile)
    program.add_typer(drift, name="drift")
    program.command()(reexport)


# ---------------------------------------------------------------- reconcile


def reconcile(
    target: Annotated[str | None, typer.Argument(metavar="[TARGET]", help="Only this one. Default: all.")] = None,
    config: Config = CONFIG,
    incremental: Annotated[
        bool, typer.Option("--incremental", help="Read only what has changed since the last time, of targets that can.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what differs.")] = False,
    believe: Annotated[
        bool, typer.Option("--believe", help="Believe a reading though `brakes.drift` holds it; with --reason.")
    ] = False,
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why it is believed; kept in the audit.")
    ] = None,
    as_: As = Format.TABLE,
) -> int:
    """Compare what targets hold with what they are known to hold, show what differs, and know it from then on.

    Targets are not changed: what the ruleset says is to be put back is put back by the next plan, and what it says is
    to be reported waits for `drift accept` or `drift overwrite`. What has a change on its way is left out. Changes that
    the target refused are not on their way: they are dropped where they stood on what is not so, and planned anew.

    \b
    eadm-sync reconcile ad --dry-run
    eadm-sync reconcile ad --believe --reason "restored from last night's backup"

    Exit codes: 0 everything is as it was left, 2 something differs or waits for a decision, 3 so much differs that the
    reading is not believed and nothing was written down, 1 something failed or a target could not be read.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app.reconciling import reconcile as compare
    from eadm_sync.cli.showing.waiting import Bars

    if believe and not (reason and reason.strip()):
        note("error: say with --reason why the reading is to be believed; it is kept in the audit. Nothing was done.")
        raise typer.Exit(FAILED)
    with Bars() as bars:
        found = compare(
            installation(config),
            only=target,
            incremental=incremental,
            dry_run=dry_run,
            believe=reason if believe else None,
            progress=bars,
        )
    if as_ is Format.JSON:
        json_document(found)
    else:
        for one in found:
            _show_target(one, dry_run=dry_run)
    if any(one.error for one in found):
        return FAILED
    if any(one.held for one in found):
        return HELD
    return CHANGES if any(one.total or one.left for one in found) else DONE


def _show_target(found: TargetDrift, *, dry_run: bool) -> None:
    read = "changed since the last reading" if found.incremental else "compared"
    seen = f"{many(found.compared, 'object')} {read}"
    differs = f"{many(found.total, 'difference')}" if found.total else "everything is as it was left"
    line(styled(f"{clean(found.target)}: {seen}, {differs}", "yellow" if found.total or found.error else "green"))
    if found.error:
        note(f"error: {clean(found.target)} could not be read: {clean(found.error)}")
    for reason in found.held:
        note(f"not believed: {clean(reason)}")
    if found.held:
        again = f"'eadm-sync reconcile {clean(found.target)} --believe --reason ...' if it is so"
        note(f"nothing of {clean(found.target)} was written down; {again}")
    rows = [
        (one.object, one.what, one.name, _value(one.known), _value(one.present), _value(one.desired), one.outcome)
        for one in found.drifts
    ]
    more = f" (the first {len(rows)})" if len(rows) < found.total else ""
    headings = ("object", "what", "attribute", "known", "present", "desired", "policy")
    section(f"Differences in {clean(found.target)}{more}", headings, rows)
    if found.total and not (found.held or found.error or dry_run):
        line("what is to be overwritten is put back by the next run: see 'eadm-sync plan'")
    if found.superseded:
        line(f"{many(found.superseded, 'queued change')} that stood on what is not so dropped; the next run plans anew")
    if found.protected:
        line(f"{many(found.protected, 'object')} protected by the target itself: left out of plans from now on")
    if found.left:
        line(f"{many(found.left, 'difference')} left alone until somebody decides: see 'eadm-sync drift list'")


def _value(value: object) -> object:
    """A value in a table: a list as its items."""
    return ", ".join(map(str, value)) if isinstance(value, list) else value


# ---------------------------------------------------------------- drift


@drift.command("list")
def drift_list(
    target: Annotated[str | None, typer.Option("--target", metavar="TARGET", help="Only of this one.")] = None,
    person: Annotated[str | None, typer.Option("--person", metavar="PERSON", help="Only of this person.")] = None,
    accepted: Annotated[
        bool, typer.Option("--accepted", help="What was accepted for good, instead of what waits.")
    ] = False,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Show what was changed in targets by hand and is left alone until somebody decides.

    Example: eadm-sync drift list --target ad

    Exit codes: 0 nothing waits, or --accepted; 2 something waits for a decision; 1 error.
    """
    from eadm_sync.app.deciding import left_alone

    found = left_alone(installation(config), target=target, person=person, accepted=accepted)
    if as_ is Format.JSON:
        json_list(found)
    elif found:
        headings = ("id", "target", "object", "what", "attribute", "known", "present", "desired", "since")
        rows = [
            (one.id, one.target, one.object, one.what, one.name)
            + (_value(one.known), _value(one.present), _value(one.desired), one.since)
            + ((one.accepted_by, one.reason) if accepted else ())
            for one in found
        ]
        table((*headings, *(("accepted by", "reason") if accepted else ())), rows)
    else:
        note("nothing was accepted" if accepted else "nothing waits for a decision")
    return CHANGES if found and not accepted else DONE


@drift.command("accept")
def drift_accept(ids: Numbers, reason: Why, config: Config = CONFIG) -> int:
    """Leave what was changed by hand as it is for good, until `drift overwrite`. Audited.

    Example: eadm-sync drift accept 12 13 --reason "stage name, agreed with HR"

    Exit codes: 0 done, 1 nothing waits under one of the numbers.
    """
    number = _decide(config, "accept", ids, reason)
    line(f"{many(number, 'difference')} accepted: no plan puts it back")
    return DONE


@drift.command("overwrite")
def drift_overwrite(ids: Numbers, reason: Why, config: Config = CONFIG) -> int:
    """Have what was changed by hand, or accepted before, put back by the next plan. Audited.

    Example: eadm-sync drift overwrite 12 --reason "a slip of the service desk"

    Exit codes: 0 done, 1 nothing waits under one of the numbers.
    """
    number = _decide(config, "overwrite", ids, reason)
    line(f"{many(number, 'difference')} put back by the next run: see 'eadm-sync plan'")
    return DONE


def _decide(config: Path, decision: Literal["accept", "overwrite"], ids: list[int], reason: str) -> int:
    from eadm_sync.app.deciding import decide

    return decide(installation(config), decision, ids, reason)


# ---------------------------------------------------------------- reexport


def reexport(  # noqa: PLR0913, PLR0917 - one for each option
    attribute: Annotated[str, typer.Option("--attribute", metavar="NAME", help="The account attribute.")],
    target: Annotated[str | None, typer.Option("--target", metavar="TARGET", help="Only in this one.")] = None,
    person: Annotated[str | None, typer.Option("--person", metavar="PERSON", help="Of this person.")] = None,
    rule: Annotated[
        str | None, typer.Option("--rule", metavar="RULE", help="Of whom this account rule serves.")
    ] = None,
    unit: Annotated[
        str | None, typer.Option("--unit", metavar="UNIT", help="Of all in this unit and those below it.")
    ] = None,
    config: Config = CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    yes: Yes = False,
    no_deliver: NoDeliver = False,
    release: Release = [],  # noqa: B006 - typer copies it
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why a hold is let go; kept in the audit.")
    ] = None,
    form: Done = Format.TABLE,
) -> None:
    """Send an attribute again as the rules say, though it is known to be there; show the plan and ask first.

    For whatever `reconcile` cannot see: a target that stores an attribute but did not act on it. What is left alone
    since somebody changed it, and what is the target's own by the rules, is not sent.

    \b
    eadm-sync reexport --attribute homeDirectory --target ad --person hr:1001 --dry-run
    eadm-sync reexport --attribute mail --rule employees/employee-ad

    Exit codes: as `sync`; with --dry-run as `plan`.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app import reexporting

    if sum(one is not None for one in (person, rule, unit)) != 1:
        raise typer.BadParameter("say of whom, with one of --person, --rule and --unit")
    context = installation(config)
    choice = reexporting.Choice(attribute, target, person, rule, unit)
    if dry_run:
        raise typer.Exit(_preview(context, config, choice, frozenset(release), form))
    require_answer(form, yes=yes)
    require_reason(release, reason)

    def carry_out(confirm: Callable[[Planned], bool], bars: Bars) -> SyncReport:
        return reexporting.reexport(
            context,
            choice,
            confirm,
            deliver=not no_deliver,
            released=frozenset(release),
            reason=reason,
            progress=bars,
        )

    def show(shown: Preview) -> None:
        from eadm_sync.cli.showing.text import show_summary

        assert isinstance(shown.planned, reexporting.Reexport)  # noqa: S101 - what `reexport` asks with
        show_summary(shown)
        _show_passed_over(shown.planned)

    raise typer.Exit(run_asked(carry_out, context, config, form, yes=yes, delivered=not no_deliver, show=show))


def _preview(context: Context, config: Path, choice: Choice, released: frozenset[str], form: Format) -> int:
    """Shows what would be done; returns the exit code."""
    from eadm_sync.app.reexporting import reexported

    def show(made: Reexport, shown: Preview) -> None:
        from eadm_sync.cli.showing.text import show_plan

        show_plan(shown, _SHOWN if on_terminal() else None)
        _show_passed_over(made)

    return preview(
        context,
        config,
        form,
        lambda database, bars: reexported(context, database, choice, released=released, progress=bars),
        more=lambda made: {"own": made.own, "left": made.left},
        show=show,
    )


def _show_passed_over(made: Reexport) -> None:
    if made.own:
        line(f"not sent of {many(made.own, 'account')}: there it is the target's own (initial-only)")
    if made.left:
        see = "'eadm-sync drift list'"
        line(f"not sent of {many(made.left, 'account')}: somebody changed it, and it is left alone: see {see}")
