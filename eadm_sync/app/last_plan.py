"""What the latest run said that made a plan."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.state import tables

_RUNS_LOOKED_AT = 20


class LastPlan(msgspec.Struct, frozen=True):
    """The run that made a plan last: its id, when it began (ISO text in UTC), and what it said of itself."""

    run_id: str
    at: str
    report: dict[str, Any]


def last_plan(connection: Connection) -> LastPlan | None:
    """The latest run that made a plan, or None."""
    columns = tables.runs.c
    query = select(columns.id, columns.started_at, columns.report).where(
        columns.command != "deliver", columns.report.is_not(None)
    )
    for run_id, at, stored in connection.execute(query.order_by(columns.started_at.desc()).limit(_RUNS_LOOKED_AT)):
        report: dict[str, Any] = msgspec.json.decode(stored)
        if "plan" in report:
            return LastPlan(run_id, at, report)
    return None
