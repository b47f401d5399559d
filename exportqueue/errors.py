"""Every error the queue raises on purpose.

QueueError
├── LeaseLost        somebody else took the item over, or it was never ours
├── UnknownItem      no item has this id
├── NoResult         a handler finished without saying what became of an item
├── PutOff           a handler did not come to an item: it is given back untouched, at once
└── LeaseExpired     a worker vanished with an item so often that it is not tried again
"""

from __future__ import annotations


class QueueError(Exception):
    """Base of all errors raised on purpose."""


class LeaseLost(QueueError):
    """The item is no longer held by the caller; `item_id` says which. What the caller knows about it is void."""

    def __init__(self, item_id: int) -> None:
        super().__init__(f"item {item_id} is held by somebody else or by nobody")
        self.item_id = item_id


class UnknownItem(QueueError, LookupError):
    """No item has the id `item_id`: it never existed, or was purged."""

    def __init__(self, item_id: int) -> None:
        super().__init__(f"no item {item_id}")
        self.item_id = item_id


class NoResult(QueueError):
    """The handler's `deliver` ended without a result for the item `item_id`."""

    def __init__(self, item_id: int) -> None:
        super().__init__(f"the handler gave no result for item {item_id}")
        self.item_id = item_id


class PutOff(QueueError):
    """The handler had no time for an item, or had to stop: it comes again, as if it had not been claimed.

    At least one item of a batch has to be done with, or the worker told to stop, or it would come again for ever.
    """


class LeaseExpired(QueueError):
    """Workers vanished while they held the item, `attempts` times: it may be what kills them."""

    def __init__(self, attempts: int) -> None:
        super().__init__(f"given up after {attempts} attempts, the last of which ended without a word")
        self.attempts = attempts
