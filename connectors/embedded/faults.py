"""Failures on demand: which operation of a batch fails, and how. Counts are kept in the directory's file."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from connectors.contract import Operation
from connectors.embedded.options import Fault
from connectors.errors import ConnectorError, Rejected, Throttled, Transient, Unavailable


class Script(msgspec.Struct, frozen=True):
    """What shall become of one batch.

    Attributes:
        reach: How many operations, from the first, are answered; the rest of the batch is not.
        lost: Whether one more is carried out, whose answer is lost.
        errors: What becomes of single operations within reach, by position, in place of being carried out.
        breaks_with: What the batch raises behind the last answer, or None.
    """

    reach: int
    lost: bool
    errors: dict[int, ConnectorError]
    breaks_with: ConnectorError | None


def write_script(connection: sqlite3.Connection, faults: Sequence[Fault], operations: Sequence[Operation]) -> Script:
    """Decides a batch's fate and counts its operations, within the caller's transaction.

    Operations behind the one that breaks the batch off are not counted: the target has not seen them.
    """
    seen = dict(connection.execute("SELECT key, value FROM meta WHERE key LIKE 'fault %'"))
    counts = [seen.get(f"fault {number}", 0) for number in range(len(faults))]
    script = _script(faults, counts, operations)
    connection.executemany(
        "REPLACE INTO meta VALUES (?, ?)", [(f"fault {number}", count) for number, count in enumerate(counts)]
    )
    return script


def _script(faults: Sequence[Fault], counts: list[int], operations: Sequence[Operation]) -> Script:
    errors: dict[int, ConnectorError] = {}
    for position, operation in enumerate(operations):
        fault = _strike(faults, counts, operation)
        if fault and fault.kind in ("transient", "rejected"):
            errors[position] = _error(fault)
        elif fault:
            return Script(position, fault.kind == "lost_answer", errors, _error(fault))
    return Script(len(operations), lost=False, errors=errors, breaks_with=None)


def _strike(faults: Sequence[Fault], counts: list[int], operation: Operation) -> Fault | None:
    """Counts the operation for every fault that is about it; the first that strikes, or None."""
    struck = None
    for number, fault in enumerate(faults):
        if fault.action in (None, operation.action) and fault.object_kind in (None, operation.kind):
            counts[number] += 1
            strikes = counts[number] % fault.every == 0 if fault.every else counts[number] in fault.operations
            struck = struck or (fault if strikes else None)
    return struck


def _error(fault: Fault) -> ConnectorError:
    if fault.kind == "rejected":
        return Rejected("a rehearsed refusal")
    if fault.kind == "transient":
        return Transient("a rehearsed hiccup", fault.retry_after_seconds)
    if fault.kind == "throttled":
        return Throttled("a rehearsed limit", fault.retry_after_seconds)
    return Unavailable("a rehearsed outage", fault.retry_after_seconds)
