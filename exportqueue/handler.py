"""What a worker is given to do its work with: the handler's contract."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Protocol

import msgspec
import sqlalchemy as sa

from exportqueue.item import Item, State


class Result(msgspec.Struct, frozen=True):
    """What became of one item.

    Attributes:
        item_id: `Item.id`.
        error: None when the target now is as asked (also if it already was).
        value: Whatever the handler wants to have in `record`.
        state: Set by the worker before `record`: DONE, DEAD, or READY when it will be tried again.
    """

    item_id: int
    error: Exception | None = None
    value: object = None
    state: State | None = None


class Handler(Protocol):
    """Carries out items and keeps account of what became of them."""

    def deliver(self, items: Sequence[Item]) -> Iterator[Result]:
        """Carries out items that do not depend on one another; one result each, in any order, as soon as it is known.

        A second result of an item takes the place of the first.

        Runs outside any transaction. Has to be safe to repeat: after a crash the same items come again.

        Raises:
            Exception: What befell the batch as a whole. Results already given stand; the other items come again.
        """
        ...

    def record(self, conn: sa.Connection, results: Sequence[Result]) -> None:
        """Writes down what became of items, in the transaction that moves them on: both commit, or neither.

        Gets one result for each item of a batch that is still held, without those that somebody else took over.
        """
        ...
