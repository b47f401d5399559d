"""How things stand, on one screen: what there is, how the last run went, what is queued, what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from eadm_sync.cli.exits import DONE
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, line, many, pairs, section, styled

if TYPE_CHECKING:
    from eadm_sync.app.status import LastRun, Status


def status(config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Show how things stand on one screen, and what to do where something is wrong.

    Example: eadm-sync status

    Exit codes: 0 shown, 1 error.
    """
    from eadm_sync.app.status import status as look

    found = look(installation(config))
    if as_ is Format.JSON:
        json_document(found)
        return DONE
    line(styled(clean(found.organisation), "bold"))
    if not found.exists:
        line("nothing has been done yet: see what would be with 'eadm-sync plan'")
        return DONE
    _show_status(found)
    return DONE


def _show_status(found: Status) -> None:
    pairs(
        {
            "people": found.people,
            "looked at by the next run whatever comes": found.pending or None,
            "records absent from their source": found.absent or None,
            "quarantined": ", ".join(f"{number} of {name}" for name, number in found.quarantined.items()) or None,
        }
    )
    if found.last is not None:
        run = found.last.run
        line(f"  last run: {clean(run.command)} by {clean(run.actor)}, {clean(run.started_at)}, {clean(run.status)}")
    section(
        "Accounts",
        ("target", "enabled", "disabled"),
        [(one.target, one.enabled, one.disabled) for one in found.accounts],
    )
    section("Export queue", *queue_rows(found.queue), empty="empty")
    advice = list(_advice(found))
    for each in advice:
        line()
        line(styled(each, "yellow"))
    if not advice:
        line()
        line(styled("all is well", "green"))


def queue_rows(stats: Iterable[Any]) -> tuple[tuple[str, ...], list[list[object]]]:
    """Headings and rows that show the export queue by target."""
    fields = ("target", "ready", "waiting", "running", "retrying", "dead", "held", "done_last_hour", "oldest", "paused")
    return tuple(name.replace("_", " ") for name in fields), [[getattr(one, name) for name in fields] for one in stats]


def _advice(found: Status) -> Iterator[str]:
    """What to do, where something is not in order."""
    if found.last is not None:
        yield from _advice_on_run(found.last)
    for one in found.queue:
        target = clean(one.target)
        if one.dead:
            held = f" ({many(one.held, 'change')} held behind)" if one.held else ""
            see = f"'eadm-sync queue list --target {target} --state dead'"
            yield f"{target} refused {many(one.dead, 'change')}{held}: see {see}, then 'queue retry' or 'queue drop'"
        if one.paused is not None:
            yield f"{target} is paused ({clean(one.paused)}): 'eadm-sync queue resume {target}' when it may go on"
        elif one.ready or one.retrying:
            going = many(one.ready + one.retrying, "change")
            stopped = found.last.stopped_targets.get(one.target) if found.last is not None else None
            why = f" ({clean(stopped)})" if stopped else ""
            yield f"{going} on the way to {target}{why}: 'eadm-sync deliver' delivers what is due"
    if found.quarantined:
        yield "some of what the sources hold was left out: 'eadm-sync quarantine list' says what and why"


def _advice_on_run(last: LastRun) -> Iterator[str]:
    if last.run.status == "running":
        yield "the last run is at work, or was killed: run 'eadm-sync sync' again, it goes on where that one ended"
    if last.error:
        yield f"the last run failed: {clean(last.error)}"
    for source, reason in last.failed_sources.items():
        yield f"{clean(source)} could not be read, its people stay as they were: {clean(reason)}"
        yield "'eadm-sync check' reads it again and shows what is at fault; then run 'eadm-sync sync'"
    for hold in last.holds:
        name = clean(hold)
        yield f"held: {name}; look with 'eadm-sync plan', let it go with 'sync --release {name} --reason \"...\"'"
    if last.problems:
        see = f"'eadm-sync runs show {clean(last.planned_by)}' says whom and why"
        yield f"the rules could not serve {many(last.problems, 'person', 'people')}: {see}"
