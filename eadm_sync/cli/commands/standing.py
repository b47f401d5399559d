"""How things stand, on one screen: what there is, how runs and jobs went, what is queued, what to do about it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from eadm_sync.cli.exits import DONE, FAILED, HELD
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, line, many, pairs, section, styled

if TYPE_CHECKING:
    from eadm_sync.app.status import LastRun, Status


class Advice(NamedTuple):
    """What is not in order and what to do about it, with the exit code that it earns."""

    code: int
    text: str


def status(config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Show how things stand on one screen, and what to do where something is wrong.

    Example: eadm-sync status

    Exit codes: 0 nothing waits for an operator, 3 a brake holds something, or somebody has to decide, 1 something
    failed, was refused, is away or has died, or the state cannot be read.
    """
    from eadm_sync.app.status import status as look

    found = look(installation(config))
    advice = list(_advice(found)) if found.exists else []
    if as_ is Format.JSON:
        json_document(found)
    else:
        line(styled(clean(found.organisation), "bold"))
        if found.exists:
            _show_status(found, advice)
        else:
            line("nothing has been done yet: see what would be with 'eadm-sync plan'")
    codes = {one.code for one in advice}
    return FAILED if FAILED in codes else HELD if HELD in codes else DONE


def _show_status(found: Status, advice: list[Advice]) -> None:
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
    section(
        "Jobs",
        ("job", "last", "result", "last success", "next"),
        [(one.name, one.started_at, one.status or "never ran", one.succeeded_at, one.next_at) for one in found.jobs],
    )
    section(
        "Daemons",
        ("daemon", "role", "version", "since", "last seen"),
        [(one.name, one.role, one.version, one.started_at, one.seen_at) for one in found.daemons if one.is_alive],
    )
    for _, text in advice:
        line()
        line(styled(text, "yellow"))
    if not advice:
        line()
        line(styled("all is well", "green"))


def queue_rows(stats: Iterable[Any]) -> tuple[tuple[str, ...], list[list[object]]]:
    """Headings and rows that show the export queue by target."""
    from eadm_sync.cli.showing.queue import moment

    counts = ("target", "ready", "waiting", "running", "retrying", "dead", "held")
    rows = ([*(getattr(one, name) for name in counts), moment(one.oldest), one.paused] for one in stats)
    return (*counts, "oldest", "paused"), list(rows)


ORPHANS = "nobody delivers them until it is configured again; 'eadm-sync queue drop --all --target …' drops them"
"""What becomes of the changes of a target that is not there any more."""


def absence(circuit: Any) -> str:
    """Since when a target is away (an `exportqueue.OpenCircuit`), and what happens next."""
    from eadm_sync.cli.showing.queue import moment

    since, again = moment(circuit.opened_at), moment(circuit.probe_at)
    return f"is away since {since} ({clean(circuit.error)}); it is asked again at {again}, by itself"


def _advice(found: Status) -> Iterator[Advice]:
    """What to do, where something is not in order."""
    if found.last is not None:
        yield from _advice_on_run(found.last, does_jobs=_does_jobs(found))
    yield from _advice_on_queue(found)
    yield from _advice_on_jobs(found)
    for target, reasons in found.unbelieved.items():
        words = "; ".join(map(clean, reasons))
        see = f"look with 'eadm-sync reconcile {clean(target)} --dry-run', and let it count with --believe"
        yield Advice(HELD, f"what {clean(target)} holds was read and not believed ({words}): {see}")
    for target, number in found.drift.items():
        see = f"'eadm-sync drift list --target {clean(target)}'"
        yield Advice(DONE, f"{many(number, 'difference')} in {clean(target)}, made by hand, to be decided about: {see}")
    for source, number in found.left_sources.items():
        name, records = clean(source), many(number, "record")
        text = f"the source {name} is not configured any more, and {records} of it still believed"
        yield Advice(DONE, f"{text}: 'eadm-sync check' says what to do")
    if found.quarantined:
        yield Advice(DONE, "some of what the sources hold was left out: 'eadm-sync quarantine list' says what and why")


def _does_jobs(found: Status) -> bool:
    """Whether a daemon is there that does the jobs of the schedule, or is about to."""
    return any(one.is_alive and one.role != "worker" for one in found.daemons)


def _advice_on_queue(found: Status) -> Iterator[Advice]:
    away = {one.target: one for one in found.away}
    for name, circuit in away.items():
        yield Advice(FAILED, f"{clean(name)} {absence(circuit)}")
    for name in found.orphans:
        yield Advice(FAILED, f"{clean(name)} is not configured any more, but changes are queued for it: {ORPHANS}")
    for one in found.queue:
        target = clean(one.target)
        if one.dead:
            held = f" ({many(one.held, 'change')} held behind)" if one.held else ""
            see = f"'eadm-sync queue list --target {target} --state dead'"
            text = f"{target} refused {many(one.dead, 'change')}{held}: see {see}, then 'queue retry' or 'queue drop'"
            yield Advice(FAILED, text)
        if one.paused is not None:
            text = f"{target} is paused ({clean(one.paused)}): 'eadm-sync queue resume {target}' when it may go on"
            yield Advice(DONE, text)
        elif (one.ready or one.retrying) and one.target not in {*away, *found.orphans}:
            going = many(one.ready + one.retrying, "change")
            stopped = found.last.stopped_targets.get(one.target) if found.last is not None else None
            why = f" ({clean(stopped)})" if stopped else ""
            by = "a daemon delivers" if any(each.is_alive for each in found.daemons) else "'eadm-sync deliver' delivers"
            yield Advice(FAILED if stopped else DONE, f"{going} on the way to {target}{why}: {by} what is due")


def _advice_on_jobs(found: Status) -> Iterator[Advice]:
    for job in found.jobs:
        if job.status in {"failed", "incomplete", "interrupted", "missed"}:
            why = f": {clean(job.error)}" if job.error else ""
            see = f"; see 'eadm-sync report {clean(job.run_id)}'" if job.run_id else ""
            yield Advice(FAILED, f"the job {clean(job.name)} ended {clean(job.status)}{why}{see}")
    alive = any(one.is_alive for one in found.daemons)
    for daemon in found.daemons:
        if not daemon.is_alive:
            rest = "another one goes on" if alive else "no other one is there: start it again"
            yield Advice(
                DONE if alive else FAILED,
                f"the daemon {clean(daemon.name)} has said nothing since {clean(daemon.seen_at)}; {rest}",
            )
    if found.jobs and not _does_jobs(found):
        # Where there never was one, somebody may well be about to try things by hand first.
        ever = any(job.started_at is not None for job in found.jobs)
        undone = "no daemon runs, so nothing of the schedule is done: 'eadm-sync run' starts one"
        yield Advice(FAILED if ever else DONE, undone)


def _advice_on_run(last: LastRun, *, does_jobs: bool) -> Iterator[Advice]:
    """As above; `does_jobs`: whether a daemon is there, whose job the run may be."""
    if last.run.status == "running" and does_jobs and " (job " in last.run.actor:
        yield Advice(DONE, f"a job is at work: {clean(last.run.command)} by {clean(last.run.actor)}")
    elif last.run.status == "running":
        again = "run 'eadm-sync sync' again, it goes on where that one ended"
        yield Advice(DONE, f"the last run is at work, or was killed: {again}")
    if last.error:
        yield Advice(FAILED, f"the last run failed: {clean(last.error)}")
    for source, reason in last.failed_sources.items():
        yield Advice(FAILED, f"{clean(source)} could not be read, its people stay as they were: {clean(reason)}")
        yield Advice(FAILED, "'eadm-sync check' reads it again and shows what is at fault; then run 'eadm-sync sync'")
    if last.silent:
        from eadm_sync.cli.showing.reasons import silence

        for target, reason in last.silent.items():
            yield Advice(FAILED, silence(target, reason))
    for hold in last.holds:
        name = clean(hold)
        text = f"held: {name}; look with 'eadm-sync brakes' and 'plan'; let it go with 'release \"{name}\"'"
        yield Advice(HELD, text)
    if last.problems:
        see = f"'eadm-sync report {clean(last.planned_by)}' says whom and why"
        yield Advice(FAILED, f"the rules could not serve {many(last.problems, 'person', 'people')}: {see}")
    if last.undecided:
        text = f"{many(last.undecided, 'person waits', 'people wait')} for a word about an account that may be theirs"
        yield Advice(HELD, f"{text}: 'eadm-sync correlate' shows whom")
