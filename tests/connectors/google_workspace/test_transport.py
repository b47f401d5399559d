"""Calls over the wire: which go together, what becomes of each, and what is kept to."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import Any

import httplib2
import pytest

from connectors.contract import Kind
from connectors.errors import AuthenticationFailed, NotFound, Rejected, Throttled, Transient, Unavailable
from connectors.google_workspace.batching import Reply
from connectors.google_workspace.connection import Connection
from connectors.google_workspace.pacing import MARGIN, Pace
from connectors.google_workspace.refusals import refusal
from connectors.google_workspace.transport import Transport
from tests.connectors.google_workspace.conftest import Settings
from tests.services.google.control import GoogleService


def _get(connection: Connection, name: str) -> Any:
    return connection.apis.users.get(userKey=f"{name}@kommune.example", fields="primaryEmail")


def _names(replies: list[Reply | None]) -> list[str]:
    return [reply.body["primaryEmail"].partition("@")[0] if reply and reply.ok else "" for reply in replies]


# ---------------------------------------------------------------- batches


def test_replies_come_in_the_order_of_the_calls(connection: Connection, google: GoogleService):
    """However Google answers them; fifty calls are one HTTP request."""
    google.seed(users=120)
    names = [f"user{number:05}" for number in range(120)]

    replies, error = connection.send([_get(connection, name) for name in names])

    assert error is None
    assert _names(replies) == names
    assert google.counters()["batches"] == 3


def test_each_api_has_a_batch_of_its_own(settings: Settings, google: GoogleService):
    """Google refuses a batch of several."""
    google.put("group", email="g@kommune.example", name="G", description="")
    product = {"product": "101031", "sku": "1010310008"}
    connection = Connection(settings(licences={"edu": product}, transfer_to=google.config.admin), Path())
    apis = connection.apis
    calls = [
        apis.applications.list(),
        _get(connection, "admin"),
        apis.settings.get(groupUniqueId="g@kommune.example"),
        apis.licences.listForProduct(productId="101031", customerId=google.config.customer_id),
    ]

    replies, error = connection.send(calls)
    connection.close()

    assert error is None
    assert [reply.status for reply in replies if reply] == [200] * 4
    assert google.counters()["batches"] == 4


def test_a_refusal_touches_no_other_call(connection: Connection):
    """With its reason and its sentence."""
    (good, bad), error = connection.send([_get(connection, "admin"), _get(connection, "nobody")])

    assert error is None
    assert good is not None
    assert good.ok
    assert (bad.status, bad.reason, bad.is_missing) == (404, "notFound", True) if bad else False


def test_nothing_to_send_is_no_request(connection: Connection, google: GoogleService):
    """No calls, no sign-in."""
    assert connection.send([]) == ([], None)
    assert google.counters().get("http_requests", 0) == 0


@pytest.mark.parametrize(
    ("fault", "error"), [("unavailable", Unavailable), ("dropped", Unavailable), ("throttled", Throttled)]
)
def test_a_batch_that_is_refused_or_lost_as_a_whole(
    connection: Connection, google: GoogleService, fault: str, error: type[Exception]
):
    """What became of its calls is not known; nothing more is sent."""
    google.seed(users=300)
    google.change(faults={fault: 1.0})

    replies, found = connection.send([_get(connection, f"user{number:05}") for number in range(300)])

    assert isinstance(found, error)
    assert replies == [None] * 300
    google.change(faults={fault: 0.0})
    assert connection.send([_get(connection, "admin")])[1] is None


def test_what_was_answered_before_a_failure_stands(settings: Settings, google: GoogleService):
    """Two batches side by side, of which one gets lost."""
    google.seed(users=100)
    connection = Connection(settings(in_flight=1), Path())
    connection.get(_get(connection, "admin"))
    google.change(faults={"unavailable": 0.5})

    told = [connection.send([_get(connection, f"user{number:05}") for number in range(100)]) for _ in range(8)]

    connection.close()
    assert {sum(reply is not None for reply in replies) for replies, _ in told} >= {0, 50}
    assert all((error is None) is all(replies) for replies, error in told)


def test_every_reason_of_a_quota_is_throttling(connection: Connection, google: GoogleService):
    """Four of a 403 and the 429; the one that says how long to wait is believed."""
    google.change(faults={"item_throttled": 1.0})

    replies, _ = connection.send([_get(connection, "admin") for _ in range(40)])

    errors = [refusal(reply, Kind.ACCOUNT, "1") for reply in replies if reply]
    assert {type(error) for error in errors} == {Throttled}
    assert {reply.reason for reply in replies if reply} == {
        "userRateLimitExceeded",
        "rateLimitExceeded",
        "quotaExceeded",
    }
    assert {getattr(error, "retry_after_seconds", 0) for error in errors} == {None, 1.0}


def test_a_call_that_fails_in_passing_is_transient(connection: Connection, google: GoogleService):
    """503 for one of several."""
    google.change(faults={"item_unavailable": 1.0})

    (reply,), _ = connection.send([_get(connection, "admin")])

    assert reply is not None
    assert isinstance(refusal(reply, Kind.ACCOUNT, "1"), Transient)


def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(connection: Connection):
    """As Google closes those that nothing was said over for minutes."""
    connection.get(_get(connection, "admin"))
    for kept in connection._opened()._local.http.connections.values():
        kept.sock.shutdown(socket.SHUT_RDWR)

    assert connection.get(_get(connection, "admin")) == {"primaryEmail": "admin@kommune.example"}


def test_a_token_that_google_takes_no_longer_is_replaced(connection: Connection):
    """It may be taken back before its time; and what is kept for an hour would keep everything away for an hour."""
    admin = _get(connection, "admin")
    connection.signer.authorization()
    connection.signer._credentials.token = "void"
    (reply,), error = connection.send([admin])
    assert isinstance(error or refusal(reply, Kind.ACCOUNT, "1"), AuthenticationFailed)
    assert connection.send([admin])[1] is None

    connection.signer._credentials.token = "void"
    with pytest.raises(AuthenticationFailed):
        connection.get(admin)
    assert connection.get(admin) == {"primaryEmail": "admin@kommune.example"}


def test_once_refused_nothing_more_is_sent(settings: Settings, google: GoogleService):
    """Whoever refuses one batch refuses the next: to go on asking makes the wait longer."""
    connection = Connection(settings(in_flight=1), Path())
    connection.get(_get(connection, "admin"))
    google.change(faults={"unavailable": 1.0})
    before = google.counters()["http_requests"]

    connection.send([_get(connection, "admin") for _ in range(500)])
    connection.close()

    assert google.counters()["http_requests"] - before == 1


# ---------------------------------------------------------------- reads


def test_pages_are_followed_to_their_end(connection: Connection, google: GoogleService):
    """More than two pages of users."""
    google.seed(users=25)
    users = connection.apis.users
    call = users.list(customer="my_customer", maxResults=10, fields="nextPageToken,users(id)")

    pages = [len(page["users"]) for page in connection.pages(call, users.list_next)]

    assert pages == [10, 10, 6]


def test_what_is_not_there_is_not_found(connection: Connection):
    """Outside a batch it is an error."""
    with pytest.raises(NotFound):
        connection.get(_get(connection, "nobody"))
    with pytest.raises(Rejected):
        connection.get(connection.apis.users.list(customer="my_customer", query="nonsense"))


def test_an_answer_that_is_no_googles_is_told(connection: Connection, google: GoogleService):
    """A gateway in between has a page of its own."""
    google.change(faults={"status_4xx": 418})

    with pytest.raises(Rejected, match="418"):
        connection.get(_get(connection, "admin"))


# ---------------------------------------------------------------- threads, rates


def test_each_thread_has_an_httplib2_object_of_its_own(connection: Connection, google: GoogleService):
    """They are not thread-safe; and none is made that no batch needs."""
    google.change(delay_seconds=0.2)
    made: list[httplib2.Http] = []

    def connect() -> httplib2.Http:
        made.append(httplib2.Http(timeout=10))
        return made[-1]

    transport = Transport(connection.apis, connection.signer, connect, Pace({}), in_flight=3)
    transport.send([_get(connection, "admin")])
    assert len(made) == 1
    transport.send([_get(connection, "admin") for _ in range(400)])
    transport.close()
    assert len(made) == 3
    assert len({id(one) for one in made}) == 3


class _Clock:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_rates_are_waited_for(connection: Connection, google: GoogleService):
    """Twenty-five new users are three portions; what is under no rate does not wait with them."""
    clock = _Clock()
    pace = Pace({"creations": 10}, lambda: clock.now)
    http = lambda: httplib2.Http(timeout=10)  # noqa: E731 - said once
    transport = Transport(connection.apis, connection.signer, http, pace, sleep=clock.sleep)
    inserts = [
        connection.apis.users.insert(
            body={
                "primaryEmail": f"n{number}@kommune.example",
                "name": {"givenName": "N", "familyName": "N"},
                "password": "hemmelig1",
            },
            fields="primaryEmail",
        )
        for number in range(25)
    ]

    replies, error = transport.send([*inserts, _get(connection, "admin")])
    transport.close()

    assert error is None
    assert _names(replies) == [*(f"n{number}" for number in range(25)), "admin"]
    assert google.counters()["batches"] == 3
    assert sum(clock.slept) == pytest.approx(2 * MARGIN)
