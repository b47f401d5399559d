"""How batches are written, and what is made of their answers."""

from __future__ import annotations

import json
from email.parser import BytesParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.google_workspace.apis import apis_of
from connectors.google_workspace.batching import bundles, replied, understood, written

APIS = apis_of("http://127.0.0.1:1")
TYPE = "multipart/mixed; boundary=b"


def _answer(*parts: tuple[str, str]) -> bytes:
    lines = [
        f"--b\r\nContent-Type: application/http\r\nContent-ID: <response-{at}>\r\n\r\n{told}" for at, told in parts
    ]
    return "\r\n".join([*lines, "--b--", ""]).encode()


def _told(status: int, body: Any) -> str:
    return (
        f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nRetry-After: 7\r\n\r\n{json.dumps(body, indent=1)}"
    )


def _calls(count: int) -> list[Any]:
    return [APIS.users.get(userKey=f"{at}") for at in range(count)]


@given(st.lists(st.sampled_from("ab"), max_size=30), st.integers(1, 7))
def test_bundles_hold_every_call_once(addresses: list[str], most: int):
    """In as few batches as can be, each of one address, none too large."""
    packed = bundles(((one, at) for at, one in enumerate(addresses)), most)

    assert sorted(at for _, each in packed for at in each) == list(range(len(addresses)))
    assert all(0 < len(each) <= most and {addresses[at] for at in each} == {one} for one, each in packed)
    assert len(packed) == sum(-(-addresses.count(one) // most) for one in set(addresses))


def test_calls_are_written_as_the_client_built_them():
    """Verb, path, query and body; who we are stands in the batch itself only."""
    call = APIS.users.insert(body={"primaryEmail": "å@x", "name": {"givenName": "Å\r\n--eadm_sync_batch"}}, fields="id")

    type_, body = written([call])
    (part,) = BytesParser().parsebytes(b"Content-Type: " + type_.encode() + b"\r\n\r\n" + body).get_payload()

    head, _, content = part.get_payload(decode=True).partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"POST /admin/directory/v1/users?fields=id&alt=json HTTP/1.1"
    assert b"uthorization" not in head
    assert json.loads(content) == {"primaryEmail": "å@x", "name": {"givenName": "Å\r\n--eadm_sync_batch"}}


@given(st.permutations(range(6)))
def test_answers_are_told_apart_by_their_ids(order: list[int]):
    """They come in any order."""
    content = _answer(*((str(at), _told(200, {"id": str(at)})) for at in order))

    assert [reply.body["id"] for reply in understood(_calls(6), TYPE, content)] == [str(at) for at in range(6)]


def test_a_call_that_the_answer_passes_over_is_in_doubt():
    """Whether it was done is not known: 504."""
    content = _answer(("0", _told(200, {})), ("7", _told(200, {})), ("x", _told(200, {})), ("2", "nonsense"))

    assert [reply.status for reply in understood(_calls(3), TYPE, content)] == [200, 504, 504]


@pytest.mark.parametrize("content", [b"", b"<html>", b"--b\r\n", b"--b--"])
def test_an_answer_that_is_no_batch_tells_nothing(content: bytes):
    """All calls are in doubt."""
    assert [reply.status for reply in understood(_calls(2), TYPE, content)] == [504, 504]
    assert [reply.status for reply in understood(_calls(1), "text/html", content)] == [504]


def test_headers_and_letters_of_a_part_are_read():
    """Retry-After is of one call; letters are as they went."""
    (reply,) = understood(_calls(1), TYPE, _answer(("0", _told(403, {"error": {"message": "Nei, Åse"}}))))

    assert (reply.message, reply.retry_after_seconds) == ("Nei, Åse", 7.0)


# Rows: as the Admin SDK refuses; as newer APIs do; as the token endpoint does; no JSON; JSON that is none of theirs.
@pytest.mark.parametrize(
    ("content", "told"),
    [
        ({"error": {"message": "M", "errors": [{"reason": "duplicate", "message": "m"}]}}, ("duplicate", "M")),
        ({"error": {"message": "M", "status": "PERMISSION_DENIED"}}, ("PERMISSION_DENIED", "M")),
        ({"error": "invalid_grant", "error_description": "D"}, ("invalid_grant", "D")),
        ("<html>", ("", "Conflict")),
        ([1], ("", "Conflict")),
        ({"error": {"errors": [None]}}, ("", "Conflict")),
    ],
)
def test_reasons_are_found(content: Any, told: tuple[str, str]):
    """In whichever shape they come."""
    raw = content if isinstance(content, str) else json.dumps(content)
    reply = replied(None, 409, {}, raw.encode())

    assert (reply.reason, reply.message) == told


@pytest.mark.parametrize(("status", "content", "found"), [(204, b"", 204), (200, b"{}", 200), (200, b"<html>", 502)])
def test_a_good_answer_is_json_or_nothing(status: int, content: bytes, found: int):
    """Anything else is by somebody in between."""
    assert replied(_calls(1)[0], status, {}, content).status == found


def test_a_question_is_not_answered_with_nothing():
    """It would be taken for a customer without users, and for a user without anything."""
    deletion = APIS.users.delete(userKey="1")

    assert replied(_calls(1)[0], 200, {}, b"").status == 502
    assert replied(deletion, 200, {}, b"").status == 200


@pytest.mark.parametrize(
    ("text", "seconds"), [("3", 3.0), ("0.5", 0.5), ("-1", None), ("nan", None), ("Mon, 1 Jan", None)]
)
def test_waits_are_numbers(text: str, seconds: float | None):
    """Or nothing."""
    assert replied(None, 503, {"Retry-After": text}, b"").retry_after_seconds == seconds
