"""Every limit, how far the latest plan used it, and what was let go beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection

from connectors.contract import Action, Kind
from eadm_sync.app.context import Context
from eadm_sync.app.last_plan import last_plan
from eadm_sync.app.releasing import ReleaseShown, listed
from eadm_sync.config.limits import UNLIMITED, allowed_changes
from eadm_sync.plan.change import NOWHERE
from eadm_sync.plan.places import KnownPopulations
from eadm_sync.state.releases import Use


class Held(msgspec.Struct, frozen=True):
    """A hold of the latest plan: its name and why, in words."""

    name: str
    why: str


class Braking(msgspec.Struct, frozen=True):
    """How the brakes stand.

    Attributes:
        run: The run that made the latest plan, or None.
        at: When it began, ISO text in UTC; None where there was none.
        limits: Every limit, and of parts those that the latest plan came near to; `limit` None where it has none.
        holds: What the latest plan held.
        releases: What was let go beforehand, newest first.
    """

    run: str | None
    at: str | None
    limits: tuple[Use, ...]
    holds: tuple[Held, ...]
    releases: tuple[ReleaseShown, ...]


def braking(context: Context) -> Braking:
    """How the brakes stand.

    Raises:
        StateError: The state cannot be read.
    """
    with context.reading() as database, database.read() as connection:
        last = last_plan(connection)
        report: dict[str, Any] = {} if last is None else last.report
        used = [msgspec.convert(one, Use) for one in report.get("limits", ())]
        names = {use.name for use in used}
        limits = [*used, *(use for use in _unused(context, connection) if use.name not in names)]
        return Braking(
            run=None if last is None else last.run_id,
            at=None if last is None else last.at,
            limits=tuple(sorted(limits, key=lambda use: use.name)),
            holds=tuple(map(_held, report.get("holds", ()))),
            releases=listed(context, connection),
        )


def _unused(context: Context, connection: Connection) -> Iterator[Use]:
    """Every limit on the whole of something, as if nothing had come near to it."""
    settings = context.loaded.settings
    populations = KnownPopulations(connection, lambda _: NOWHERE)
    for target in settings.targets:
        for kind in Kind:
            for action in Action:
                limit = settings.limit(target, kind, action)
                population = populations.whole(target, kind)
                allowed = UNLIMITED if limit is None else allowed_changes(limit, population)
                if allowed < UNLIMITED:
                    yield Use(f"{target}.{kind}.{action}", 0, allowed, population)


def _held(hold: dict[str, Any]) -> Held:
    why = hold.get("reason") or f"{hold['count']} of {hold['population']}; {hold['limit']} may"
    return Held(hold.get("name") or hold["brake"], why)
