"""The transport over the wire: batches, pages, and what goes wrong with them."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import pytest

from connectors.entra.batching import Request, Response
from connectors.entra.budget import Budget
from connectors.entra.transport import Transport
from connectors.errors import (
    AuthenticationFailed,
    ConnectorError,
    Rejected,
    Stale,
    Throttled,
    Unavailable,
)
from tests.connectors.entra.conftest import PAUSES_SECONDS, Connect
from tests.services.graph.config import Config, Faults
from tests.services.graph.control import GraphService

SOME_PASS_FIRST = 2
"""A seed by which a connection is cut, but not the first one."""


def _creation(number: int, **more: Any) -> Request:
    body = {
        "accountEnabled": True,
        "displayName": f"User {number}",
        "mailNickname": f"user{number}",
        "userPrincipalName": f"user{number}@kommune.example",
        "passwordProfile": {"password": "Correct-Horse-7"},
    }
    return Request(str(number), "POST", "/users", {**body, **more})


def _send(
    connect: Connect, requests: Sequence[Request], **options: Any
) -> tuple[dict[str, Response], ConnectorError | None]:
    """The responses by id, and what was raised after them."""

    async def sending() -> tuple[dict[str, Response], ConnectorError | None]:
        told: dict[str, Response] = {}
        async with connect(**options) as transport:
            try:
                async for one in transport.send(requests):
                    told[one.id] = one
            except ConnectorError as error:
                return told, error
        return told, None

    return asyncio.run(sending())


async def following(transport: Transport, url: str) -> list[dict[str, Any]]:
    """A page and those that it leads to, as `Connection.pages` reads them."""
    read = [await transport.get(url)]
    while link := read[-1].get("@odata.nextLink"):
        read.append(await transport.get(link))
    return read


def _pages(connect: Connect, url: str) -> list[dict[str, Any]]:
    async def reading() -> list[dict[str, Any]]:
        async with connect() as transport:
            return await following(transport, url)

    return asyncio.run(reading())


def test_many_requests_need_few_http_requests(connect: Connect, graph: GraphService):
    """Twenty in each, several at the same time, each with an outcome of its own."""
    graph.change(delay_seconds=1.0)  # time enough for all to be on their way

    told, error = _send(connect, [*map(_creation, range(59)), _creation(59, displayName="")])

    counters = graph.counters()
    assert error is None
    assert [one.status for one in told.values()].count(201) == 59
    assert told["59"].error["code"] == "Request_BadRequest"
    assert (counters["http_requests"], counters["operations"]) == (3, 60)
    assert counters["most_in_flight"] == 3


def test_what_depends_on_a_failure_is_told_apart_from_it(connect: Connect):
    """424 for the one, its own error for the other."""
    told, _ = _send(
        connect,
        [
            Request("group", "PATCH", "/groups/nobody", {"description": "x"}),
            Request("after", "GET", "/users", depends_on=("group",)),
        ],
    )

    assert {name: one.status for name, one in told.items()} == {"group": 404, "after": 424}


def test_a_throttled_request_says_how_long_to_wait(connect: Connect, graph: GraphService):
    """The others of its batch are done; the share of the quota is told."""
    graph.empty(Config(quota="1000/10/60"))

    told, error = _send(connect, [_creation(at) for at in range(12)])

    refused = [one for one in told.values() if one.status == 429]
    assert error is None
    assert len(refused) == 2
    assert all(50 < (one.retry_after_seconds or 0) <= 61 for one in refused)
    assert max(one.load or 0 for one in told.values()) == 1.0


@pytest.mark.parametrize(
    ("faults", "expected"),
    [
        (Faults(unavailable=1.0), Unavailable),
        (Faults(dropped=1.0), Unavailable),
        (Faults(throttled=1.0), Throttled),
        (Faults(status_4xx=403), AuthenticationFailed),
    ],
)
def test_a_refused_batch_stops_those_behind_it(
    connect: Connect, graph: GraphService, faults: Faults, expected: type[ConnectorError]
):
    """Nothing is told of it, nothing more is sent, and nothing is repeated by anybody."""
    graph.empty(Config(faults=faults))

    told, error = _send(connect, [_creation(at) for at in range(100)], in_flight=1)

    assert (told, type(error)) == ({}, expected)
    assert graph.counters()["http_requests"] == 1


def test_what_was_answered_is_told_though_another_batch_got_lost(connect: Connect, graph: GraphService):
    """No answer is thrown away."""
    graph.empty(Config(faults=Faults(dropped=0.3), seed=SOME_PASS_FIRST))

    told, error = _send(connect, [_creation(at) for at in range(200)], in_flight=1)

    assert isinstance(error, Unavailable)
    assert 0 < len(told) < 200
    made = {one["displayName"] for one in graph.contents()["users"].values()}
    assert {f"User {name}" for name, one in told.items() if one.ok} <= made


def test_what_does_not_fit_into_the_quota_is_not_sent(connect: Connect, graph: GraphService):
    """From the share that Graph tells; the caller is told how long to wait, and hardly anything was refused."""
    graph.empty(Config(quota="4000/200/60"))

    told, error = _send(connect, [_creation(at) for at in range(400)], in_flight=1)

    counters = graph.counters()
    assert isinstance(error, Throttled)
    assert error.retry_after_seconds
    assert 150 < len(told) == counters["operations"] <= 200
    assert "throttled" not in counters


@pytest.mark.parametrize(
    "faults",
    [Faults(unavailable=0.2, dropped=0.2), Faults(throttled=0.3), Faults(item_unavailable=0.3, item_throttled=0.2)],
)
def test_what_is_read_is_asked_for_again(connect: Connect, graph: GraphService, faults: Faults):
    """Pages and batches of questions come whole, whatever passes by between; each wish of Graph's is granted."""
    graph.empty(Config(page_size=10))
    users, _ = graph.seed(users=60)
    graph.change(faults=asdict(faults))
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0)

    async def reading() -> tuple[list[str], dict[str, Response]]:
        budget = Budget(lambda: sum(slept))
        async with connect(pauses_seconds=[0.001] * 12, sleep=sleep, budget=budget) as transport:
            listed = [one["id"] for page in await following(transport, "/users?$select=id") for one in page["value"]]
            return listed, await transport.read([Request(key, "GET", f"/users/{key}?$select=id") for key in users])

    listed, told = asyncio.run(reading())

    assert sorted(listed) == sorted(users)
    assert {name for name, one in told.items() if one.ok} == set(users)
    assert max(slept) == pytest.approx(1.0)


def test_a_read_that_fails_for_good_says_why(connect: Connect, graph: GraphService):
    """After as many attempts as there are."""
    graph.empty(Config(faults=Faults(unavailable=1.0)))

    async def reading(work: str) -> None:
        async with connect(sleep=lambda _: asyncio.sleep(0)) as transport:
            await (transport.get("/users") if work == "get" else transport.read([Request("1", "GET", "/users")]))

    for work in ("get", "read"):
        graph.reset()
        with pytest.raises(Unavailable):
            asyncio.run(reading(work))
        assert graph.counters()["http_requests"] == len(PAUSES_SECONDS) + 1


def test_a_long_wish_is_the_callers_to_grant(connect: Connect, graph: GraphService):
    """Nobody sleeps for a minute within a call."""
    graph.empty(Config(quota="0/1/60"))

    async def reading() -> None:
        async with connect() as transport:
            await transport.get("/organization?$select=id")

    with pytest.raises(Throttled) as raised:
        asyncio.run(reading())

    assert 50 < (raised.value.retry_after_seconds or 0) <= 61


def test_a_wrong_secret_is_a_matter_of_signing_in(connect: Connect, graph: GraphService):
    """With Entra's number for it; Graph is not asked at all."""
    told, error = _send(connect, [_creation(1)], secret="wrong")

    assert told == {}
    assert isinstance(error, AuthenticationFailed)
    assert "AADSTS7000215" in error.reason
    assert "http_requests" not in graph.counters()


def test_where_nobody_answers_it_is_unavailable(connect: Connect, graph: GraphService):
    """And reading fails likewise."""

    async def use() -> None:
        async with connect() as transport:
            await transport.get("/organization")
            graph.kill()
            try:
                with pytest.raises(Unavailable):
                    await transport.get("/organization")
            finally:
                graph.start()

    asyncio.run(use())


def test_all_pages_are_read_empty_ones_too(connect: Connect, graph: GraphService):
    """To the delta link, which the SDK's own iterator loses."""
    graph.empty(Config(delta_page_size=5, faults=Faults(delta_empty=0.4)))
    users, _ = graph.seed(users=30)

    pages = _pages(connect, "/users/delta()?$select=displayName")

    assert sorted(one["id"] for page in pages for one in page["value"]) == sorted(users)
    assert any(not page["value"] for page in pages)
    assert [("@odata.deltaLink" in page) for page in pages] == [False] * (len(pages) - 1) + [True]
    assert _pages(connect, pages[-1]["@odata.deltaLink"])[0]["value"] == []


@pytest.mark.parametrize("how", ["expired", "reset"])
def test_a_token_that_went_bad_is_stale(connect: Connect, graph: GraphService, how: str):
    """Whichever way Graph says it."""
    link = _pages(connect, "/users/delta()")[-1]["@odata.deltaLink"]
    graph.refuse_delta_tokens(how)

    with pytest.raises(Stale):
        _pages(connect, link)


def test_a_link_that_leads_elsewhere_is_not_followed(connect: Connect, graph: GraphService):
    """Our token would go with it."""
    with pytest.raises(Rejected, match=r"leads away from it, to graph\.example"):
        _pages(connect, "https://graph.example/v1.0/users?$skiptoken=x")

    assert "http_requests" not in graph.counters()
