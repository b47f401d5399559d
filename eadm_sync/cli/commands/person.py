"""Orders about single people: stop, resume, extend, and what is ordered."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated

import typer

from eadm_sync.cli.commands.looking import Person
from eadm_sync.cli.exits import DONE, FAILED, HELD
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, line, many, note, pairs, styled

if TYPE_CHECKING:
    from datetime import date

    from eadm_sync.app.context import Context
    from eadm_sync.app.persons import Ordered, PersonShown, Terms

person = typer.Typer(help="Orders about single people: stopped at once, or kept for longer.", no_args_is_help=True)

Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")]
NoDeliver = Annotated[
    bool, typer.Option("--no-deliver", help="Leave the changes in the export queue, for `deliver` or a worker.")
]


@person.command("stop")
def person_stop(
    who: Person, reason: Why, no_deliver: NoDeliver = False, config: Config = CONFIG, as_: As = Format.TABLE
) -> int:
    """Disable all accounts of somebody now, ahead of everything else, until `person resume`. Audited.

    No brake holds it, no other run is waited for, and no import and no rule enables the accounts meanwhile. Groups and
    licences stay.

    Example: eadm-sync person stop hr:1001 --reason "the laptop was stolen"

    Exit codes: 0 all accounts are disabled, 1 error, or a target has not been reached yet (it is told as soon as it can
    be).
    """
    from eadm_sync.app import persons

    return _tell(persons.stop(installation(config), who, reason, _terms(no_deliver)), as_)


@person.command("resume")
def person_resume(
    who: Person, reason: Why, no_deliver: NoDeliver = False, config: Config = CONFIG, as_: As = Format.TABLE
) -> int:
    """Take a stop back: accounts are again as sources and rules say. Audited.

    Example: eadm-sync person resume hr:1001 --reason "the laptop was found"

    Exit codes: 0 done, or nobody had stopped the person; 1 error, or a target has not been reached yet; 3 a brake holds
    some of it.
    """
    from eadm_sync.app import persons

    return _tell(persons.resume(installation(config), who, reason, _terms(no_deliver)), as_)


@person.command("extend")
def person_extend(
    who: Person,
    reason: Why,
    until: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], metavar="DATE", help="The last day, included: 2026-12-31."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take an extension back instead.")] = False,
    no_deliver: NoDeliver = False,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Keep somebody's access up to a day, though their last affiliation has ended or will end before it. Audited.

    Example: eadm-sync person extend hr:1001 --until 2026-12-31 --reason "hands the project over"

    Exit codes: 0 done, or there was nothing to take back; 1 error, or a target has not been reached yet; 2 the day has
    passed, or is missing; 3 a brake holds some of it.
    """
    from eadm_sync.app import persons

    context = installation(config)
    if remove:
        return _tell(persons.end_extension(context, who, reason, _terms(no_deliver)), as_)
    if until is None or until.date() < _today(context):
        raise typer.BadParameter("name a day that is not over yet, or --remove", param_hint="--until")
    return _tell(persons.extend(context, who, until.date(), reason, _terms(no_deliver)), as_)


@person.command("show")
def person_show(who: Person, config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Show what is ordered about somebody, and where that leaves them.

    Example: eadm-sync person show hr:1001

    Exit codes: 0 shown, 1 nobody or several people are called so.
    """
    from eadm_sync.app import persons

    found = persons.show(installation(config), who)
    if as_ is Format.JSON:
        json_document(found)
    else:
        _show(found)
    return DONE


def _terms(no_deliver: bool) -> Terms:
    from eadm_sync.app.persons import Terms

    return Terms(deliver=not no_deliver)


def _today(context: Context) -> date:
    from eadm_sync.clock import today

    return today(context.clock, context.loaded.settings.organisation.zone)


def _tell(done: Ordered, as_: Format) -> int:
    if as_ is Format.JSON:
        json_document(done)
    else:
        _show(done.person)
        if not done.changed:
            line("nothing was ordered that could be taken back")
        elif done.enqueued:
            line(f"{many(done.enqueued, 'change')} put into the export queue")
    for target, why in done.left.items():
        note(f"{clean(target)} has not been reached yet: {clean(why)}")
    if done.held:
        note(f"{many(done.held, 'change')} held by a brake: see 'eadm-sync plan'")
    if done.busy:
        note(f"another run is at work ({clean(done.busy)}): the next one sees to it")
    if done.left or done.busy:
        return FAILED
    return HELD if done.held else DONE


def _show(found: PersonShown) -> None:
    from eadm_sync.cli.showing.reasons import order_line

    line(styled(f"{clean(found.id)}  {clean(found.name)}", "bold"))
    pairs(
        {
            "stage": found.stage,
            "next change": found.next_change,
            **{
                f"account in {target}": "enabled" if enabled else "disabled"
                for target, enabled in found.accounts.items()
            },
        }
    )
    for order in found.orders:
        line(order_line(order))


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.add_typer(person, name="person")
