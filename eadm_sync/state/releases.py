"""Holds that somebody let go: for one run by name, or stored beforehand for the next run that needs it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.state import tables

State = Literal["free", "held", "released"]


class Use(msgspec.Struct, frozen=True):
    """How far a limit was used.

    Attributes:
        name: What releases it where it holds something: "ad.account.disable", "hr.vanished[unit 32]".
        count: How many changes, or absences, there were.
        limit: How many may be.
        population: Of how many objects or people.
        state: Whether it held them, or was let go.
    """

    name: str
    count: int
    limit: int
    population: int
    state: State = "free"


class Releases:
    """What may pass a brake.

    Attributes:
        named: Holds that this run was told to let go, whatever their size: whoever said so sees the plan.
        granted: Hold → the most that may pass, as it was shown to whoever let it go beforehand.
        used: Names of those that let something through so far.
    """

    def __init__(self, named: Iterable[str] = (), granted: Mapping[str, int] | None = None) -> None:
        self.named = frozenset(named)
        self.granted = dict(granted or {})
        self.used: set[str] = set()

    def allows(self, name: str, count: int) -> bool:
        """Whether so many may pass a hold of this name."""
        return name in self.named or count <= self.granted.get(name, -1)

    def lets(self, name: str, count: int) -> bool:
        """As `allows`; what passes is noted in `used`."""
        if not self.allows(name, count):
            return False
        self.used.add(name)
        return True


End = Literal["used", "replaced", "revoked"]


class Release(msgspec.Struct, frozen=True):
    """What somebody let go beforehand. Moments are ISO text in UTC.

    Attributes:
        id: Number of its row.
        hold: Name of the hold.
        most: So many changes or absences may pass, as it was shown.
        reason: Why, in the words of whoever let it go.
        actor: Who that was.
        at: When.
        expires_at: After this it lets nothing through.
        confirmed_by: The second person, or None.
        confirmed_at: When they confirmed it, or None.
        end: used, replaced (by a newer one) or revoked; None while it stands.
        ended_at: When, or None.
        ended_by: The run that used it, or who took it back; or None.
    """

    id: int
    hold: str
    most: int
    reason: str
    actor: str
    at: str
    expires_at: str
    confirmed_by: str | None = None
    confirmed_at: str | None = None
    end: End | None = None
    ended_at: str | None = None
    ended_by: str | None = None


def stored(connection: Connection, limit: int = 50) -> tuple[Release, ...]:
    """The latest releases, newest first, whatever became of them."""
    query = select(tables.releases).order_by(tables.releases.c.id.desc()).limit(limit)
    return tuple(Release(**row._mapping) for row in connection.execute(query))  # noqa: SLF001 - SQLAlchemy's own name


def standing(connection: Connection, now: datetime) -> dict[str, Release]:
    """Those that are neither used, revoked nor expired, by hold; the newest of each, confirmed or not."""
    columns = tables.releases.c
    query = select(tables.releases).where(columns.end.is_(None), columns.expires_at > _iso(now))
    rows = connection.execute(query.order_by(columns.id))
    return {row.hold: Release(**row._mapping) for row in rows}  # noqa: SLF001 - as above


def add(connection: Connection, release: Release) -> None:
    """Stores a release in place of one that stands; its id is given by the database."""
    finish(connection, [release.hold], "replaced", release.at, release.actor)
    row = msgspec.structs.asdict(release)
    del row["id"]
    connection.execute(tables.releases.insert(), row)


def confirm(connection: Connection, hold: str, actor: str, now: datetime) -> None:
    """Notes the second person of the release of a hold that stands."""
    columns = tables.releases.c
    open_ = tables.releases.update().where(columns.hold == hold, columns.end.is_(None))
    connection.execute(open_.values(confirmed_by=actor, confirmed_at=_iso(now)))


def finish(connection: Connection, holds: Iterable[str], end: End, at: str, by: str) -> None:
    """Ends what stands of these holds, by a run or by somebody."""
    columns = tables.releases.c
    open_ = tables.releases.update().where(columns.hold.in_(list(holds)), columns.end.is_(None))
    connection.execute(open_.values(end=end, ended_at=at, ended_by=by))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
