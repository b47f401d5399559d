"""The daemon and its jobs: run, worker, trigger, jobs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from eadm_sync.cli.exits import DONE, FAILED, HELD
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_list, line, note, table

if TYPE_CHECKING:
    from pathlib import Path

    from eadm_sync.app.jobs import Ended


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    program.command()(run)
    program.command()(worker)
    program.command()(trigger)
    program.command("jobs")(list_jobs)


def run(config: Config = CONFIG) -> int:
    """Run the daemon: jobs by the configuration's `schedule`, and delivery to all targets, until it is told to stop.

    \b
    eadm-sync run
    kill -HUP <process>      read the configuration again; a broken one changes nothing
    kill -TERM <process>     finish what is under way and stop; a second time: stop at once

    Jobs obey every brake: what is held stays held until somebody lets it go with `release`. Where the state is
    on PostgreSQL, several daemons can run: one leads and does the jobs, all deliver.

    Exit codes: 0 stopped when told to, 1 something is wrong with the configuration or the state, or another daemon
    runs on an embedded state.
    """  # noqa: D301 - click reads the backslash
    return _serve(config, None, delivers_only=False)


def worker(
    target: Annotated[
        list[str], typer.Option("--target", metavar="TARGET", help="Only to this target. May be given several times.")
    ] = [],  # noqa: B006 - typer copies it
    config: Config = CONFIG,
) -> int:
    """Deliver what is in the export queue, until told to stop; run no jobs.

    \b
    eadm-sync worker --target ad
    eadm-sync worker --target entra --target google

    Any number can run beside daemons, also on other machines where the state is on PostgreSQL.

    Exit codes: as `run`; 1 also where there is no such target.
    """  # noqa: D301 - click reads the backslash
    return _serve(config, target or None, delivers_only=True)


def _serve(config: Path, only: list[str] | None, *, delivers_only: bool) -> int:
    from eadm_sync.daemon.service import serve

    context = installation(config, service=True)
    serve(config, context, only=only, delivers_only=delivers_only)
    return DONE


def trigger(
    job: Annotated[str, typer.Argument(metavar="JOB", help="Its name in the schedule; or `reload`.")],
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end, and end as it did.")] = False,
    config: Config = CONFIG,
) -> int:
    """Have the running daemon do a job now. `reload` has it read its configuration again.

    \b
    eadm-sync trigger sync --wait
    eadm-sync trigger reload

    A job that plans has ended when its changes are in the export queue; `queue stats` says what is delivered.

    Exit codes: 0 asked for, or with --wait: done; 3 with --wait: done but for what a brake holds; 1 no daemon is
    running, there is no such job, or with --wait: it failed.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app.triggering import NoDaemon, follow
    from eadm_sync.app.triggering import trigger as ask

    context = installation(config)
    try:
        request = ask(context, job)
        if not wait:
            line(f"asked for {clean(job)}; see 'eadm-sync jobs'")
            return DONE
        return _tell_end(job, follow(context, request))
    except NoDaemon:
        note("error: no daemon is running on this state: start one with 'eadm-sync run'")
        note("  or do it here: 'eadm-sync sync' is the job `sync`, and delivers, too")
        return FAILED


def _tell_end(job: str, ended: Ended) -> int:
    see = f"; 'eadm-sync runs show {clean(ended.run_id)}' says more" if ended.run_id else ""
    if not ended.is_well:
        note(f"error: {clean(job)}: {ended.status}{f': {clean(ended.error)}' if ended.error else ''}{see}")
        return FAILED
    line(f"{clean(job)}: {ended.status}{see}")
    return HELD if ended.status == "held" else DONE


def list_jobs(config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """List the jobs of the schedule: when each runs, how it went last, and when it is due next.

    Example: eadm-sync jobs

    Exit codes: 0 listed, 1 error.
    """
    from eadm_sync.app.jobs import jobs

    found = jobs(installation(config))
    if as_ is Format.JSON:
        json_list(found)
        return DONE
    table(
        ("job", "does", "when", "last run", "status", "last without failure", "next", "error"),
        (
            (one.name, one.do, one.schedule, one.started_at, one.status, one.succeeded_at, one.next_at, one.error)
            for one in found
        ),
    )
    if not found:
        note("there are no jobs: the configuration's `schedule` names them")
    return DONE
