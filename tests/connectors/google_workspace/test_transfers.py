"""Handing a leaver's data over at Google Workspace."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from connectors.errors import ConnectorError, Rejected, Transient
from connectors.google_workspace.batching import Reply
from connectors.google_workspace.chains import run
from connectors.google_workspace.connection import Connection
from connectors.google_workspace.options import GoogleOptions
from connectors.google_workspace.transfers import hand_over
from tests.connectors.google_workspace.conftest import Settings
from tests.services.google.control import GoogleService

HandOver = Callable[..., ConnectorError | None]


@pytest.fixture
def options(settings: Settings) -> GoogleOptions:
    """Settings by which data is handed over: only those ask for the right to it."""
    return settings(transfer_to="user00001@kommune.example")


@pytest.fixture
def users(google: GoogleService) -> list[str]:
    """A leaver, and two who stay; a transfer takes a minute."""
    google.change(transfer_seconds=60)
    found, _ = google.seed(users=3)
    return found


@pytest.fixture
def hand(connection: Connection) -> HandOver:
    """Has data handed over, so many days from now."""

    def handed(user: str, receiver: str, days: float = 0) -> ConnectorError | None:
        now = datetime.now(UTC) + timedelta(days=days)
        (error,) = run(connection, [hand_over(connection.apis, user, receiver, lambda: now)])
        return error

    return handed


def test_data_is_handed_over_once_and_waited_for(hand: HandOver, google: GoogleService, users: list[str]):
    """Files and calendar, both; the receiver is named by address or by id."""
    leaver, receiver, _ = users

    begun = hand(leaver, "user00001@kommune.example")
    waited = hand(leaver, receiver)
    google.forward(seconds=61)
    done = hand(leaver, receiver)

    (transfer,) = google.contents()["transfers"].values()
    assert isinstance(begun, Transient)
    assert isinstance(waited, Transient)
    assert done is None
    assert (transfer["oldOwnerUserId"], transfer["newOwnerUserId"]) == (leaver, receiver)
    assert len(transfer["applicationDataTransfers"]) == 2


def test_what_was_handed_over_long_ago_does_not_count(hand: HandOver, google: GoogleService, users: list[str]):
    """Whoever came back since has new files; nor does what was handed over to somebody else."""
    leaver, receiver, other = users
    hand(leaver, receiver)
    google.forward(seconds=61)

    assert hand(leaver, receiver, days=2) is None
    assert isinstance(hand(leaver, other), Transient)
    assert isinstance(hand(leaver, receiver, days=4), Transient)
    assert len(google.contents()["transfers"]) == 3


def test_nobody_has_nothing_to_hand_over(hand: HandOver, google: GoogleService, users: list[str]):
    """An account that is deleted already; to nobody, nothing is handed over, and to oneself neither."""
    leaver, receiver, _ = users
    google.purge("user", receiver)

    assert hand("100000000000000000009", leaver) is None
    for nobody in (receiver, "nobody@kommune.example", leaver):
        assert isinstance(hand(leaver, nobody), Rejected)
    assert google.contents()["transfers"] == {}


@pytest.mark.parametrize("later", ["completed", "failed"])
def test_of_two_transfers_the_one_that_goes_on_is_waited_for(connection: Connection, later: str):
    """A second one is begun where the answer to the first got lost; nothing is deleted before both are over."""
    now = datetime.now(UTC)
    chain = hand_over(connection.apis, "1", "2", lambda: now)
    names = [{"id": "3", "name": "Drive and Docs"}, {"id": "4", "name": "Calendar"}]
    next(chain)
    chain.send([Reply(200, {"id": "1"}), Reply(200, {"id": "2"}), Reply(200, {"applications": names})])
    two = [
        {"id": "A2", "requestTime": now.isoformat(), "overallTransferStatusCode": later},
        {
            "id": "A1",
            "requestTime": (now - timedelta(seconds=5)).isoformat(),
            "overallTransferStatusCode": "inProgress",
        },
    ]

    with pytest.raises(StopIteration) as ended:
        chain.send([Reply(200, {"dataTransfers": two})])

    assert isinstance(ended.value.value, Transient)


def test_a_transfer_that_failed_keeps_the_account(connection: Connection):
    """It is not begun again by itself, and the account is not deleted."""
    now = datetime.now(UTC)
    chain = hand_over(connection.apis, "1", "2", lambda: now)
    names = [{"id": "3", "name": "Drive and Docs"}, {"id": "4", "name": "Calendar"}]
    next(chain)
    chain.send([Reply(200, {"id": "1"}), Reply(200, {"id": "2"}), Reply(200, {"applications": names})])
    failed = {"id": "A1", "requestTime": now.isoformat(), "overallTransferStatusCode": "failed"}

    with pytest.raises(StopIteration) as ended:
        chain.send([Reply(200, {"dataTransfers": [failed]})])

    assert isinstance(ended.value.value, Rejected)
    assert "A1" in str(ended.value.value)
