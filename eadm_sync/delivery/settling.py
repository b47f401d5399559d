"""Whether a target was left in good order: whatever it owes to its readers was made after its latest outcome.

Some targets do their last work when they are closed: `file` makes its files then. A process that is killed before that
leaves nothing in the queue that would bring anybody back. So the version of known state at which a target was last
closed is kept beside the version itself; a target where the two differ is visited again.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, select

from eadm_sync.state import bulk, tables
from eadm_sync.state.outcomes import known_versions

_PREFIX = "settled:"


def unsettled(connection: Connection, targets: Sequence[str]) -> dict[str, int]:
    """Those of the targets that were not closed since their latest outcome, with their version of known state."""
    rows = connection.execute(select(tables.meta.c.name, tables.meta.c.value))
    settled = {name.removeprefix(_PREFIX): int(value) for name, value in rows if name.startswith(_PREFIX)}
    versions = known_versions(connection, targets)
    return {name: version for name, version in versions.items() if version != settled.get(name, 0)}


def settle(connection: Connection, target: str, version: int) -> None:
    """Notes that a target was closed in good order, with everything up to a version of known state.

    Args:
        connection: A connection that may write.
        target: Name of the target.
        version: Read before it was closed: what another process delivers meanwhile is that one's to settle.
    """
    bulk.upsert(connection, tables.meta, ("name", "value"), [(f"{_PREFIX}{target}", str(version))])
