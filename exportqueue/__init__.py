"""A durable queue with order, dependencies and leases, on SQLite and PostgreSQL.

See README.md for the idea and a first use. Everything a caller needs can be imported from here; it is loaded at its
first use, because SQLAlchemy takes a third of a second.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exportqueue.circuit import Circuit, OpenCircuit
    from exportqueue.errors import LeaseExpired, LeaseLost, NoResult, PutOff, QueueError, UnknownItem
    from exportqueue.handler import Handler, Result
    from exportqueue.item import Item, NewItem, Phase, State, Superseded, TargetStats, Unfinished, Wanted
    from exportqueue.memory import MemoryQueue
    from exportqueue.outlook import Outlook
    from exportqueue.pace import Pace
    from exportqueue.queue import Queue
    from exportqueue.retry import Classify, RetryPolicy, Verdict, VerdictKind
    from exportqueue.tables import QueueTables, define, queue_tables
    from exportqueue.worker import Drained, Worker

_HOMES = {
    "circuit": ("Circuit", "OpenCircuit"),
    "errors": ("LeaseExpired", "LeaseLost", "NoResult", "PutOff", "QueueError", "UnknownItem"),
    "handler": ("Handler", "Result"),
    "item": ("Item", "NewItem", "Phase", "State", "Superseded", "TargetStats", "Unfinished", "Wanted"),
    "memory": ("MemoryQueue",),
    "outlook": ("Outlook",),
    "pace": ("Pace",),
    "queue": ("Queue",),
    "retry": ("Classify", "RetryPolicy", "Verdict", "VerdictKind"),
    "tables": ("QueueTables", "define", "queue_tables"),
    "worker": ("Drained", "Worker"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Circuit",
    "Classify",
    "Drained",
    "Handler",
    "Item",
    "LeaseExpired",
    "LeaseLost",
    "MemoryQueue",
    "NewItem",
    "NoResult",
    "OpenCircuit",
    "Outlook",
    "Pace",
    "Phase",
    "PutOff",
    "Queue",
    "QueueError",
    "QueueTables",
    "Result",
    "RetryPolicy",
    "State",
    "Superseded",
    "TargetStats",
    "Unfinished",
    "UnknownItem",
    "Verdict",
    "VerdictKind",
    "Wanted",
    "Worker",
    "define",
    "queue_tables",
]


def __getattr__(name: str) -> object:
    if name not in _HOME_OF:
        raise AttributeError(name)
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)
