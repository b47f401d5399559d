"""The export queue: look, retry, drop, pause, resume, drain."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eadm_sync.cli.asking import ask, require_terminal
from eadm_sync.cli.exits import DECLINED, DONE, FAILED
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, json_list, line, note, plain

if TYPE_CHECKING:
    from eadm_sync.app.context import Context
    from eadm_sync.app.queueing import Chosen, Done

queue = typer.Typer(help="The export queue: changes on their way to targets.", no_args_is_help=True)


class State(StrEnum):
    """Where an item is (`exportqueue.Phase`, which is too much to load for --help; a test compares them)."""

    READY = "ready"
    WAITING = "waiting"
    RUNNING = "running"
    RETRYING = "retrying"
    DEAD = "dead"
    HELD = "held"
    DONE = "done"
    DROPPED = "dropped"


Ids = Annotated[list[int] | None, typer.Argument(metavar="[ID...]", help="As `queue list` tells them.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="Name of the target.")]
OfTarget = Annotated[str | None, typer.Option("--target", metavar="TARGET", help="With --all: of this target.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@queue.command("stats")
def queue_stats(config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Show how much is queued for each target, how fast it goes, and what keeps it from going.

    Example: eadm-sync queue stats

    *ready* could go out now, *waiting* waits for another change, *retrying* failed and is tried again by itself, *dead*
    was refused for good, *held* waits for what is dead. The pace is that of the last five minutes.

    Exit codes: 0 shown, 1 error.
    """
    from eadm_sync.app import queueing
    from eadm_sync.cli.showing.queue import show_stats

    context = installation(config)
    found = [(one, queueing.remaining_seconds(one)) for one in queueing.stats(context)]
    if as_ is Format.JSON:
        known = context.loaded.settings.targets
        more = ({"remaining_seconds": left, "is_configured": one.target in known} for one, left in found)
        json_list({**plain(one), **each} for (one, _), each in zip(found, more, strict=True))
    else:
        show_stats(found, queueing.lanes(context, [one.target for one, _ in found]), _option(config))
    return DONE


@queue.command("list")
def queue_list(
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="Only for this target.")] = None,
    state: Annotated[State | None, typer.Option(help="Only in this state. Default: all that are unfinished.")] = None,
    person: Annotated[
        str | None, typer.Option(metavar="PERSON", help="Only for this person, or a group as 'group:KEY'.")
    ] = None,
    object_: Annotated[
        str | None, typer.Option("--object", metavar="OBJECT", help="Only for this object, as the list writes it.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 100,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """List queued changes in the order in which they were queued. States are those of `queue stats`.

    \b
    eadm-sync queue list --target ad --state dead
    eadm-sync queue list --person hr:1001
    eadm-sync queue list --object account:hr:1001 --state done

    Exit codes: 0 listed (also if there are none), 1 there is no such target or person.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app import queueing
    from eadm_sync.cli.showing.queue import show_list

    found = queueing.listed(
        installation(config), target=target, phase=state, subject=person, object_key=object_, limit=limit
    )
    if as_ is Format.JSON:
        json_list({**plain(one), "state": found.phases[one.id]} for one in found.items)
    else:
        show_list(found)
    if len(found.items) < found.total:
        note(f"the first {len(found.items)} of {found.total}; --limit shows more")
    elif not found.items:
        note("there is none" if state else "there is none; what is finished is listed with --state done")
    return DONE


@queue.command("show")
def queue_show(
    item_id: Annotated[int, typer.Argument(metavar="ID", help="As `queue list` tells it.")],
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Show one queued change: what it is to do, what it waits for, why it failed. Sensitive values are hidden.

    Example: eadm-sync queue show 17

    Exit codes: 0 shown, 1 there is none with this id.
    """
    from eadm_sync.app import queueing
    from eadm_sync.cli.showing.queue import show_item

    found = queueing.item(installation(config), item_id)
    if as_ is Format.JSON:
        json_document(found)
    else:
        show_item(found, _option(config))
    return DONE


@queue.command("retry")
def queue_retry(
    ids: Ids = None,
    everything: Annotated[
        bool, typer.Option("--all", help="All that a target refused; shown first, and asked.")
    ] = False,
    target: OfTarget = None,
    yes: Yes = False,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Try changes again that were refused for good. What they hold goes on behind them. Audited.

    They are delivered by a daemon, or by the next `eadm-sync deliver` or `sync`.

    \b
    eadm-sync queue retry 17 18
    eadm-sync queue retry --all --target ad

    Exit codes: 0 all of them will be tried, 1 one does not exist (nothing was done) or is not dead (it was left), 4
    you said no.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app import queueing
    from eadm_sync.cli.showing.queue import show_retried

    context = installation(config)
    chosen = _Wanted(ids or [], everything, target).chosen(context, orphans=False)
    if everything and not _agreed(chosen, as_, "Try them again? [y/N] ", yes=yes):
        return DECLINED
    done = queueing.retry(context, [one.id for one in chosen])
    if as_ is Format.TABLE:
        show_retried(done, queueing.lanes(context, {one.target for one in done.done}), _option(config))
    return _tell(done, as_, "only what is dead can be retried")


@queue.command("drop")
def queue_drop(
    reason: Why,
    ids: Ids = None,
    with_waiting: Annotated[bool, typer.Option("--with-waiting", help="Also what waits for them.")] = False,
    everything: Annotated[
        bool,
        typer.Option(
            "--all", help="All that a target refused; of one that is not configured any more, all that is queued."
        ),
    ] = False,
    target: OfTarget = None,
    yes: Yes = False,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Drop changes for good. What waited for them goes on, and is named. Audited.

    The next run looks at their people anew: what the rules still give them is planned again.

    \b
    eadm-sync queue drop 17 --reason "made by hand"
    eadm-sync queue drop --all --target old-ad --reason "taken out of service"

    Exit codes: 0 all were dropped, 1 one does not exist (nothing was done) or is under way or finished (it was left), 4
    you said no.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app import queueing
    from eadm_sync.cli.showing.queue import show_dropped

    _require_reason(reason)
    context = installation(config)
    chosen = _Wanted(ids or [], everything, target).chosen(context, orphans=True)
    if everything and not _agreed(chosen, as_, "Drop them? [y/N] ", yes=yes):
        return DECLINED
    done = queueing.drop(context, [one.id for one in chosen], reason, with_waiting=with_waiting)
    if as_ is Format.TABLE:
        show_dropped(done)
    return _tell(done, as_, "what is under way or finished cannot be dropped")


@queue.command("pause")
def queue_pause(target: Target, reason: Why, config: Config = CONFIG) -> int:
    """Deliver nothing more to a target; what is under way goes on. Plans are made and queued as ever. Audited.

    Example: eadm-sync queue pause ad --reason "maintenance until noon"

    Exit codes: 0 paused, 1 there is no such target.
    """
    from eadm_sync.app import queueing

    _require_reason(reason)
    queueing.pause(installation(config), target, reason)
    line(f"{clean(target)} is paused; 'eadm-sync queue resume{_option(config)} {clean(target)}' ends it")
    return DONE


@queue.command("resume")
def queue_resume(
    target: Target,
    reason: Annotated[str | None, typer.Option(metavar="TEXT", help="Why; kept in the audit.")] = None,
    config: Config = CONFIG,
) -> int:
    """End a pause. Audited.

    Example: eadm-sync queue resume ad

    Exit codes: 0 not paused any more (or it was not), 1 there is no such target.
    """
    from eadm_sync.app import queueing

    context = installation(config)
    was_paused = queueing.resume(context, target, reason)
    line(f"{clean(target)} {'is not paused any more' if was_paused else 'was not paused'}")
    if was_paused and not any(lane.has_daemon for lane in queueing.lanes(context, [target])):
        line(f"No daemon runs; deliver what waits with: eadm-sync deliver{_option(config)} --target {clean(target)}")
    return DONE


@queue.command("drain")
def queue_drain(
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="Only to this target.")] = None,
    limit: Annotated[
        str, typer.Option(metavar="DURATION", help="How long to wait for retries and absent targets: 30s, 15m, 2h.")
    ] = "1h",
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Deliver until the queue is empty: before a maintenance, an upgrade, or a change of targets.

    \b
    eadm-sync queue drain
    eadm-sync queue drain --target ad --limit 15m

    `deliver` goes through the queue once and leaves what is to be tried again; `drain` stays, waits for retries and for
    targets that are away, and lets nobody plan anything new meanwhile: a daemon's jobs wait, and are missed if it takes
    longer than they have patience for. It does not wait for what needs you: what is dead, held or paused.

    Exit codes: 0 empty, 1 something is left, or another run is at work.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app.draining import drain
    from eadm_sync.cli.showing.text import show_delivery
    from eadm_sync.cli.showing.waiting import Bars
    from eadm_sync.config.cron import seconds_of

    try:
        limit_seconds = seconds_of(limit)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--limit") from error
    with Bars() as bars:
        reports = drain(installation(config), only=target, limit_seconds=limit_seconds, progress=bars)
    is_complete = all(report.is_complete for report in reports)
    if as_ is Format.JSON:
        json_document({"complete": is_complete, "targets": reports})
    else:
        show_delivery(reports, _option(config))
    return DONE if is_complete else FAILED


@dataclass(frozen=True)
class _Wanted:
    """Which items are to be retried or dropped: those of some ids, or all that a target refused."""

    ids: list[int]
    everything: bool
    target: str | None

    def chosen(self, context: Context, *, orphans: bool) -> tuple[Chosen, ...]:
        """The items; with `orphans`, all that is queued for a target that is not configured any more.

        Raises:
            typer.BadParameter: It was said in no way, or in two.
            NotFound: There is no such item or target.
        """
        from eadm_sync.app import queueing

        if self.everything != (self.target is not None):
            raise typer.BadParameter("go together: all that this target refused", param_hint="--all and --target")
        if self.everything == bool(self.ids):
            raise typer.BadParameter("give either ids, or --all with --target", param_hint="ID...")
        if self.target is None:
            return queueing.chosen(context, self.ids)
        return queueing.all_dead(context, self.target, orphans=orphans)


def _option(config: Path) -> str:
    """What a command to copy needs to speak of this installation."""
    from eadm_sync.cli.showing.preview import config_option

    return config_option(config)


def _agreed(items: Sequence[Chosen], as_: Format, question: str, *, yes: bool) -> bool:
    """Shows what was chosen by `--all`, and asks; nothing need be asked where there is nothing.

    Raises:
        typer.Exit: Nobody can be asked.
    """
    from eadm_sync.cli.showing.queue import show_choice

    if as_ is Format.TABLE:
        show_choice(items)
        sys.stdout.flush()
    if yes or not items:
        return True
    require_terminal("look at `queue list` first, then give --yes")
    return ask(question)


def _tell(done: Done, as_: Format, why_not: str) -> int:
    """Says what was left as it is, and gives the exit code."""
    if as_ is Format.JSON:
        json_document(done)
    if done.left:
        note(f"left as they are: {', '.join(map(str, done.left))}; {why_not}")
    return FAILED if done.left else DONE


def _require_reason(reason: str) -> None:
    if not reason.strip():
        raise typer.BadParameter("must say why: it is kept in the audit", param_hint="--reason")


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.add_typer(queue, name="queue")
