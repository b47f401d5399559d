"""The export queue: list, show, stats, retry, drop, pause, resume."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eadm_sync.cli.commands.standing import ORPHANS, absence, queue_rows
from eadm_sync.cli.exits import DONE, FAILED
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, json_list, line, many, note, pairs, section, styled, table

if TYPE_CHECKING:
    from eadm_sync.app.queueing import Done, QueuedChange
    from eadm_sync.plan.change import Change

queue = typer.Typer(help="The export queue: changes on their way to targets.", no_args_is_help=True)


class State(StrEnum):
    """States of an item (`exportqueue.State`, which is too much to load for --help; a test compares them)."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    DONE = "done"
    DEAD = "dead"
    DROPPED = "dropped"


Ids = Annotated[list[int], typer.Argument(metavar="ID...", help="As `queue list` tells them.")]
Target = Annotated[str, typer.Argument(metavar="TARGET", help="Name of the target.")]
Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")]


@queue.command("stats")
def queue_stats(config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Show how much is queued for each target, and in which state.

    Example: eadm-sync queue stats

    Exit codes: 0 shown, 1 error.
    """
    from eadm_sync.app import queueing

    context = installation(config)
    found = queueing.stats(context)
    if as_ is Format.JSON:
        json_list(found)
        return DONE
    table(*queue_rows(found))
    for one in found:
        if one.circuit is not None:
            line(styled(f"{clean(one.target)} {absence(one.circuit)}", "yellow"))
        if one.target not in context.loaded.settings.targets:
            line(styled(f"{clean(one.target)} is not configured any more: {ORPHANS}", "yellow"))
    return DONE


@queue.command("list")
def queue_list(
    target: Annotated[str | None, typer.Option(metavar="TARGET", help="Only for this target.")] = None,
    state: Annotated[State | None, typer.Option(help="Only in this state. Default: all that are unfinished.")] = None,
    person: Annotated[
        str | None, typer.Option(metavar="PERSON", help="Only for this person, or a group as 'group:KEY'.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="The most to list.")] = 100,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """List queued changes in their order.

    Example: eadm-sync queue list --target ad --state dead

    Exit codes: 0 listed (also if there are none), 1 error.
    """
    from eadm_sync.app import queueing

    found = queueing.items(installation(config), target=target, state=state, subject=person, limit=limit)
    if as_ is Format.JSON:
        json_list(found)
    else:
        table(
            ("id", "target", "what", "object", "state", "attempts", "not before", "last error"),
            (
                (one.id, one.target, one.operation, one.object_key, one.state, one.attempts, one.not_before, error)
                for one in found
                for error in (one.last_error or one.reason,)
            ),
        )
    if len(found) == limit:
        note(f"the first {limit}; --limit shows more")
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

    found = queueing.item(installation(config), item_id)
    if as_ is Format.JSON:
        json_document(found)
    else:
        _show(found)
    return DONE


def _show(found: QueuedChange) -> None:
    item = found.item
    title = f"{item.id}: {clean(item.operation)} in {clean(item.target)}, {item.state}"
    line(styled(title, "bold"))
    pairs(
        {
            "object": item.object_key,
            "run": item.run_id,
            "enqueued": item.created_at,
            "last tried": item.started_at,
            "finished": item.finished_at,
            "failed attempts": item.attempts or None,
            "last error": item.last_error,
            "dropped because": item.reason,
        }
    )
    for why in _why_it_waits(found):
        line(styled(f"  {why}", "yellow"))
    if found.change is None:
        line(f"  what it is to do cannot be read: {clean(found.unreadable)}")
    else:
        _show_change(found.change)
    headings = ("id", "what", "object", "state", "last error")
    for name, items in (("Held by", found.held_by), ("Waits for", found.waits_for)):
        section(name, headings, [(one.id, one.operation, one.object_key, one.state, one.last_error) for one in items])


def _why_it_waits(found: QueuedChange) -> Iterator[str]:
    item = found.item
    if found.held_by:
        dead = ", ".join(str(one.id) for one in found.held_by)
        yield f"it is held until somebody retries or drops what was refused: {dead}"
    elif found.waits_for:
        yield f"it waits for {many(len(found.waits_for), 'other change')}"
    if item.finished_at is not None:
        return
    if item.not_before is not None:
        yield f"it is not tried again before {clean(item.not_before)}"
    if found.paused is not None:
        yield f"its target is paused: {clean(found.paused)}"
    if found.away is not None:
        yield f"its target {absence(found.away)}"
    if found.is_orphan:
        yield f"its target is not configured any more: {ORPHANS}"


def _show_change(change: Change) -> None:
    pairs(
        {
            "person": change.person,
            "group": change.group,
            "licence": change.sku,
            "role": change.role if change.group is not None and change.person is not None else None,
            "container": None if change.container is None else _moved(change.container),
            "enabled": change.enabled,
            "rule": change.rule or None,
            "because": change.reason or None,
        }
    )
    section(
        "Attributes",
        ("attribute", "old", "new"),
        [(name, old, new) for name, (old, new) in sorted(change.attributes.items())],
    )


def _moved(container: tuple[Any, Any]) -> str:
    old, new = container
    return clean(new) if old is None else f"{clean(old)} → {clean(new)}"


@queue.command("retry")
def queue_retry(ids: Ids, config: Config = CONFIG) -> int:
    """Try changes again that were refused for good. What they hold goes on behind them. Audited.

    They are delivered by the next `eadm-sync deliver` or `sync`.

    Example: eadm-sync queue retry 17 18

    Exit codes: 0 all of them will be tried, 1 one does not exist (nothing was done) or is not dead (it was left).
    """
    from eadm_sync.app import queueing

    return _tell(queueing.retry(installation(config), ids), "will be tried again", "only what is dead can be retried")


@queue.command("drop")
def queue_drop(ids: Ids, reason: Why, config: Config = CONFIG) -> int:
    """Drop changes for good. What waited for them goes on. Audited.

    The next `plan` looks at their people anew: what the rules still give them is planned again.

    Example: eadm-sync queue drop 17 --reason "made by hand"

    Exit codes: 0 all were dropped, 1 one does not exist (nothing was done) or is under way or finished (it was left).
    """
    from eadm_sync.app import queueing

    done = queueing.drop(installation(config), ids, reason)
    return _tell(done, "dropped", "what is under way or finished cannot be dropped")


def _tell(done: Done, what: str, why_not: str) -> int:
    if done.done:
        line(f"{what}: {', '.join(map(str, done.done))}")
    if done.left:
        note(f"left as they are: {', '.join(map(str, done.left))}; {why_not}")
    return FAILED if done.left else DONE


@queue.command("pause")
def queue_pause(target: Target, reason: Why, config: Config = CONFIG) -> int:
    """Deliver nothing more to a target; what is under way goes on. Plans are made and queued as ever. Audited.

    Example: eadm-sync queue pause ad --reason "maintenance until noon"

    Exit codes: 0 paused, 1 there is no such target.
    """
    from eadm_sync.app import queueing

    queueing.pause(installation(config), target, reason)
    line(f"{clean(target)} is paused; 'eadm-sync queue resume {clean(target)}' ends it")
    return DONE


@queue.command("resume")
def queue_resume(target: Target, config: Config = CONFIG) -> int:
    """End a pause. Audited.

    Example: eadm-sync queue resume ad

    Exit codes: 0 not paused any more (or it was not), 1 there is no such target.
    """
    from eadm_sync.app import queueing

    was_paused = queueing.resume(installation(config), target)
    line(f"{clean(target)} {'is not paused any more' if was_paused else 'was not paused'}")
    return DONE


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.add_typer(queue, name="queue")
