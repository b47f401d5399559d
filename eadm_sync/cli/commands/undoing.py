"""Taking a run back: undo."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from eadm_sync.cli.commands.planning import Done, NoDeliver, Yes, require_answer, require_reason, run_asked
from eadm_sync.cli.commands.previewing import preview
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, Config, Format, Release

if TYPE_CHECKING:
    from pathlib import Path

    from eadm_sync.app.context import Context
    from eadm_sync.app.planning import Planned
    from eadm_sync.app.syncing import SyncReport
    from eadm_sync.cli.showing.preview import Preview
    from eadm_sync.cli.showing.waiting import Bars


def register(program: typer.Typer) -> None:
    """Adds the command."""
    program.command()(undo)


def undo(
    run: Annotated[str, typer.Argument(metavar="RUN", help="Id of the run, as `report` and `history` name it.")],
    config: Config = CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")] = False,
    yes: Yes = False,
    no_deliver: NoDeliver = False,
    release: Release = [],  # noqa: B006 - typer copies it
    reason: Annotated[
        str | None,
        typer.Option("--reason", metavar="TEXT", help="Why the run is undone, or a hold let go; kept in the audit."),
    ] = None,
    form: Done = Format.TABLE,
) -> None:
    """Take a run back: show the reverse of what it did, ask, put it into the export queue, deliver it.

    Values, memberships, licences, containers become what they were, who was disabled is enabled and the other way
    round. What was created is disabled, not deleted, but for groups. What was changed since stays, as does what cannot
    be taken back: each with the reason. Brakes hold an undo as they hold any plan.

    \b
    eadm-sync undo 20260817T040000-7bbf8311 --dry-run
    eadm-sync undo 20260817T040000-7bbf8311 --reason "HR sent half a file"

    Exit codes: as `sync`; with --dry-run as `plan`.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app import undoing
    from eadm_sync.cli.showing.undo import show_undo

    context = installation(config)
    if dry_run:
        raise typer.Exit(_preview(context, config, run, frozenset(release), form))
    require_answer(form, yes=yes)
    require_reason(release, reason)

    def carry_out(confirm: Callable[[Planned], bool], bars: Bars) -> SyncReport:
        return undoing.undo(
            context,
            run,
            confirm,
            deliver=not no_deliver,
            released=frozenset(release),
            reason=reason,
            progress=bars,
        )

    def show(shown: Preview) -> None:
        assert isinstance(shown.planned, undoing.Undoing)  # noqa: S101 - what `undoing.undo` asks with
        show_undo(shown.planned, shown)

    raise typer.Exit(run_asked(carry_out, context, config, form, yes=yes, delivered=not no_deliver, show=show))


def _preview(context: Context, config: Path, run: str, released: frozenset[str], form: Format) -> int:
    """Shows what would be done; returns the exit code."""
    from eadm_sync.app.undoing import undone
    from eadm_sync.cli.showing.undo import as_data, show_undo

    return preview(
        context,
        config,
        form,
        lambda database, bars: undone(context, database, run, released=released, progress=bars),
        more=as_data,
        show=show_undo,
    )
