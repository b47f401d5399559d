"""The reference target: a directory, and failures on demand."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from connectors.contract import Operation, Outcome
from connectors.directory.settings import Profile
from connectors.directory.target import DirectoryTarget, random_anchor
from connectors.embedded.faults import write_script
from connectors.embedded.options import EmbeddedOptions

_REVOCATIONS = """
CREATE TABLE IF NOT EXISTS revocation (anchor TEXT PRIMARY KEY, times INTEGER NOT NULL) STRICT, WITHOUT ROWID
"""


def counted_anchor(number: int) -> str:
    """An anchor that is the same on every run."""
    return f"object-{number:08}"


class EmbeddedTarget(DirectoryTarget):
    """`connectors.contract.Target` with a recycle bin and, where the settings ask for them, failures."""

    def __init__(self, path: Path, options: EmbeddedOptions, *, sleep: Callable[[float], None] = time.sleep) -> None:
        """`sleep` takes seconds; it is called for `faults.latency_ms` only."""
        profile = Profile(
            capabilities=options.capabilities(soft_delete=options.soft_delete),
            seats=options.seats,
            default_container=options.default_container if options.containers else None,
            indexed=options.indexed,
        )
        super().__init__(path, profile, counted_anchor if options.anchors == "counted" else random_anchor)
        self._faults = options.faults
        self._sleep = sleep

    def apply(self, operations: Sequence[Operation]) -> Iterator[Outcome]:
        """As the contract says; one transaction. Fails as the settings ask for.

        Raises:
            Unavailable, Throttled, AuthenticationFailed: Outcomes already yielded stand.
            ValueError: The batch is longer than `batch_size`.
        """
        if self._faults.latency_ms:
            self._sleep(self._faults.latency_ms / 1000)
        if not self._faults.fail:
            yield from super().apply(operations)
            return
        with self._transaction() as connection:
            script = write_script(connection, self._faults.fail, operations)
            seen = operations[: script.reach + script.lost]
            sound = [operation for position, operation in enumerate(seen) if position not in script.errors]
            done = iter(self._carry_out(connection, sound))
            outcomes = [
                Outcome(operation.id, script.errors[position]) if position in script.errors else next(done)
                for position, operation in enumerate(seen)
            ]
        yield from outcomes[: script.reach]
        if script.breaks_with:
            raise script.breaks_with

    def ended_sessions(self) -> dict[str, int]:
        """Anchor → how often whoever was signed in with that account was signed out; a rehearsal's proof."""
        with self._transaction() as connection:
            connection.execute(_REVOCATIONS)
            return dict(connection.execute("SELECT anchor, times FROM revocation"))

    def _carry_out(self, connection: sqlite3.Connection, operations: Sequence[Operation]) -> list[Outcome]:
        """As in every directory; and keeps in mind whose sessions were to end."""
        outcomes = super()._carry_out(connection, operations)
        ended = [
            (operation.anchor,)
            for operation, outcome in zip(operations, outcomes, strict=True)
            if operation.revoke_sessions and outcome.error is None
        ]
        if ended:
            connection.execute(_REVOCATIONS)
            connection.executemany(
                "INSERT INTO revocation VALUES (?, 1) ON CONFLICT (anchor) DO UPDATE SET times = times + 1", ended
            )
        return outcomes
