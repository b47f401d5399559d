"""What the brakes hold, how near each limit is, and letting go: brakes, release, approve."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from eadm_sync.cli.exits import DONE, HELD
from eadm_sync.cli.installation import installation
from eadm_sync.cli.options import CONFIG, As, Config, Format
from eadm_sync.cli.output import clean, json_document, line, section

if TYPE_CHECKING:
    from eadm_sync.app.releasing import ReleaseShown

Why = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the audit.")]


def register(program: typer.Typer) -> None:
    """Adds the commands of this theme."""
    for command in (brakes, release, approve):
        program.command()(command)


def brakes(config: Config = CONFIG, as_: As = Format.TABLE) -> int:
    """Show every limit and how far the latest plan used it, what is held, and what was let go.

    Of parts (units, kinds of affiliation, rules), only those are shown that changed more than their floor: all others
    are far from any limit.

    Example: eadm-sync brakes

    Exit codes: 0 nothing is held, 3 the latest plan held something, 1 the state cannot be read.
    """
    from eadm_sync.app.braking import braking

    found = braking(installation(config))
    if as_ is Format.JSON:
        json_document(found)
        return HELD if found.holds else DONE
    at = "no plan was made yet" if found.run is None else f"as of run {clean(found.run)}, {clean(found.at)}"
    rows = [(one.name, f"{one.count} of {one.limit}", one.population, one.state) for one in found.limits]
    section("Limits", ("limit", "used", "population", "state"), rows)
    line(f"  {at}")
    section("Held", ("hold", "why"), [(one.name, one.why) for one in found.holds], empty="nothing")
    _show_releases(found.releases)
    return HELD if found.holds else DONE


def release(
    hold: Annotated[str, typer.Argument(metavar="HOLD", help="Its name: `ad.account.disable[unit 32]`.")],
    reason: Why,
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Confirm what another user has let go, as the second person.")
    ] = False,
    revoke: Annotated[bool, typer.Option("--revoke", help="Take back what was let go and has not been used.")] = False,
    config: Config = CONFIG,
    as_: As = Format.TABLE,
) -> int:
    """Let go what the latest run held, for the next run that needs it, the daemon's too. Audited.

    It lets no more through than that run held, is used once, and expires (`brakes.release_hours`). Nothing is written
    to any target by this command.

    \b
    eadm-sync release "ad.account.disable[unit 32]" --reason "Havnen skole is closed, case 2026/1234"
    eadm-sync release "ad.account.disable[unit 32]" --confirm --reason "seen, agreed"
    eadm-sync release "ad.account.disable[unit 32]" --revoke --reason "the wrong school"

    Exit codes: 0 done, 3 a second person has to confirm it, 1 error.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app import releasing

    if confirm and revoke:
        raise typer.BadParameter("cannot be both", param_hint="--confirm, --revoke")
    context = installation(config)
    if revoke:
        releasing.revoke(context, hold, reason)
        line(f"{clean(hold)} is not let go any more; nothing of it was written")
        return DONE
    made = (releasing.confirm if confirm else releasing.release)(context, hold, reason)
    if as_ is Format.JSON:
        json_document(made)
    else:
        _tell(made)
    return HELD if made.standing == "to confirm" else DONE


def _tell(made: ReleaseShown) -> None:
    one = made.release
    name, until = clean(one.hold), clean(one.expires_at)
    if made.standing == "to confirm":
        line(f"{name} is to be confirmed by another user until {until}; nothing passes before that:")
        line(f'  eadm-sync release "{name}" --confirm --reason "…"')
    else:
        line(
            f"the next run until {until} lets {name} through, if it is no more than {one.most}; nothing is written yet"
        )


def approve(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A plan that `plan --out` saved.")],
    reason: Why,
    config: Config = CONFIG,
) -> int:
    """Approve a saved plan as a second person, where `plans.approval` asks for one. Audited.

    The approval is for exactly this plan and ends with it. Whoever made the plan cannot approve it, and whoever
    approved it cannot apply it.

    \b
    eadm-sync plan --out plan.jsonl
    eadm-sync approve plan.jsonl --reason "read, case 2026/1234"     (another user)
    eadm-sync apply plan.jsonl

    Exit codes: 0 approved, 1 error, or nothing in it is to be approved.
    """  # noqa: D301 - click reads the backslash
    from eadm_sync.app.approving import approve as approve_plan

    for hold in approve_plan(installation(config), file, reason):
        line(f"approved: {clean(hold.name)} ({hold.count})")
    line("nothing is written yet; whoever did not approve it does it with 'eadm-sync apply'")
    return DONE


def _show_releases(releases: tuple[ReleaseShown, ...]) -> None:
    section(
        "Let go",
        ("hold", "at most", "by", "confirmed by", "until", "state", "reason"),
        [
            (
                one.release.hold,
                one.release.most,
                one.release.actor,
                one.release.confirmed_by,
                one.release.expires_at,
                one.standing,
                one.release.reason,
            )
            for one in releases
        ],
        empty="nothing",
    )
