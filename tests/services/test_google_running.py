"""The local Google service in batches, at its quotas, under faults, and after a crash."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.services.google.client import Google, refusal
from tests.services.google.config import GOOGLES_QUOTAS, Config, Faults
from tests.services.google.control import GoogleService
from tests.services.google.store import KINDS, Kind, Store
from tests.services.google.throttling import Throttle


def _http(service: GoogleService) -> httpx.Client:
    headers = {"Authorization": f"Bearer {service.access_token()}"}
    return httpx.Client(base_url=service.url + "admin/directory/v1", headers=headers, timeout=30)


def test_a_batch_fails_item_by_item(google: Google):
    """Each is answered by itself, under its own id, whatever the order."""
    google.make_user("kari")
    group = google.make_group("laerere")

    answers = google.batch(
        google.users.update(userKey="kari@kommune.example", body={"name": {"familyName": "Ås"}}),
        google.users.get(userKey="nobody@kommune.example"),
        google.members.insert(groupKey=group, body={"email": "kari@kommune.example"}),
        google.groups.insert(body={"email": "laerere@kommune.example"}),
        google.users.update(userKey="kari@kommune.example", body={"suspended": "yes"}),
    )

    assert answers[0]["name"]["familyName"] == "Ås"
    assert answers[2]["role"] == "MEMBER"
    assert [answers[1], answers[3], answers[4]] == [(404, "notFound"), (409, "duplicate"), (400, "invalid")]
    counters = google.service.counters()
    assert (counters["batches"], counters["operations"]) == (1, 7)


def test_a_batch_is_of_one_api(google: Google):
    """Named by its address, or by the first of its calls."""
    google.make_user("kari")
    assign = google.licences.insert(productId="101031", skuId="1010310008", body={"userId": "kari@kommune.example"})
    get = google.users.get(userKey="kari@kommune.example")

    assert google.batch(get, assign)[1] == (404, "notFound")
    assert google.batch(get, assign, path="")[1] == (404, "notFound")
    assert google.batch(assign, path="/licensing/v1")[0]["skuId"] == "1010310008"


@pytest.mark.parametrize(
    ("content_type", "content", "status"),
    [
        ("application/json", b"{}", 400),
        ("multipart/mixed; boundary=x", b"", 400),
        ("multipart/mixed; boundary=x", b"--x\r\nContent-Type: text/plain\r\n\r\nGET /\r\n--x--", 400),
        ("multipart/mixed; boundary=x", b"--x\r\nContent-Type: application/http\r\n\r\n\r\n--x--", 400),
    ],
)
def test_what_is_no_batch_is_refused(google: Google, content_type: str, content: bytes, status: int):
    """As a whole."""
    headers = {"Content-Type": content_type}

    answer, _ = google.http.request(google.service.batch_url, "POST", body=content, headers=headers)

    assert answer.status == status


def test_a_batch_can_be_too_large(google: Google):
    """More calls than Google takes, and none of them is done."""
    google.service.change(batch_limit=2)
    calls = [google.users.get(userKey="admin@kommune.example") for _ in range(3)]

    with pytest.raises(Exception, match="are the most"):
        google.batch(*calls)
    assert "operations" not in google.service.counters()


def test_each_quota_has_its_reason(google: Google):
    """Users made, queries, units and licences; and there is room again when its time has gone by."""
    google.make_user("kari")
    limits = {
        "creations_per_second": 1, "queries_per_minute": 5, "unit_writes_per_second": 1, "licence_writes_per_second": 1
    }  # fmt: skip
    google.service.change(**limits)

    def make(name: str) -> tuple[int, str]:
        body = {"primaryEmail": f"{name}@kommune.example", "name": {"givenName": "A", "familyName": "B"}}
        return refusal(google.users.insert(body={**body, "password": "hemmelig1"}))[:2]

    def unit(name: str) -> tuple[int, str]:
        return refusal(google.units.insert(customerId="my_customer", body={"name": name, "parentOrgUnitPath": "/"}))[:2]

    def licence(product: str, sku: str) -> tuple[int, str]:
        body = {"userId": "kari@kommune.example"}
        return refusal(google.licences.insert(productId=product, skuId=sku, body=body))[:2]

    told = [
        make("a"), make("b"), unit("A"), unit("B"), licence("101031", "1010310008"),
        licence("Google-Apps", "1010020027"),
    ]  # fmt: skip
    google.service.forward(seconds=2)
    later = [make("b"), unit("B"), licence("Google-Apps", "1010020027")]
    reads = [refusal(google.users.get(userKey="kari@kommune.example"))[:2] for _ in range(2)]
    google.service.forward(seconds=60)
    reads.append(refusal(google.users.get(userKey="kari@kommune.example"))[:2])

    fine = (200, "")
    assert told == [fine, (403, "quotaExceeded"), fine, (403, "quotaExceeded"), fine, (503, "backendError")]
    assert later == [fine] * 3
    assert reads == [fine, (403, "userRateLimitExceeded"), fine]
    assert google.service.counters()["throttled"] == 4


def test_googles_own_quotas_are_the_documented_ones():
    """Ten users in a second, 2 400 queries in a minute; each second anew."""
    config, throttle = Config(**GOOGLES_QUOTAS), Throttle()
    refused = 0
    for at in range(3000):
        try:
            throttle.take(config, "directory.users.insert", "admin", at / 100)
        except Exception as error:  # noqa: BLE001 - its reason is asserted
            assert getattr(error, "reason", "") == "quotaExceeded"  # noqa: PT017 - for each that comes
            refused += 1

    assert 3000 - refused == 300


def test_too_many_at_once_are_told_to_wait(google: Google):
    """429 with a Retry-After, of the account as a whole."""
    google.service.change(concurrent_requests=3, delay_seconds=1.0)
    with _http(google.service) as client, ThreadPoolExecutor(10) as pool:
        answers = list(pool.map(lambda _: client.get("/users/admin@kommune.example"), range(10)))

    refused = [one for one in answers if one.status_code == 429]
    assert 0 < len(refused) < 10
    assert {one.headers["Retry-After"] for one in refused} == {"1"}
    assert {one.json()["error"]["errors"][0]["reason"] for one in refused} == {"rateLimitExceeded"}
    assert google.service.counters()["throttled"] == len(refused)


def test_faults_come_by_chance_and_leave_the_account_whole(google: Google):
    """Refused is not done, and cut may be done: in the end all is as asked, with conflicts for what was done."""
    google.service.empty(Config(faults=Faults(unavailable=0.2, dropped=0.2, throttled=0.2)))
    seen: set[Any] = set()
    body = {"name": {"givenName": "A", "familyName": "B"}, "password": "hemmelig1"}
    with _http(google.service) as client:
        for at in range(80):
            while True:
                try:
                    answer = client.post("/users", json={**body, "primaryEmail": f"user{at}@kommune.example"})
                except httpx.TransportError:
                    seen.add("cut")
                    continue
                if answer.status_code in {200, 409}:
                    seen.add(answer.status_code)
                    break
                seen.add((answer.status_code, answer.json()["error"]["errors"][0]["reason"]))

    limits = {(403, one) for one in ("userRateLimitExceeded", "rateLimitExceeded", "quotaExceeded")}
    assert seen == {200, 409, "cut", (503, "backendError"), (429, "rateLimitExceeded"), *limits}
    assert len(google.service.contents()["users"]) == 81


def test_items_of_a_batch_fail_by_chance(google: Google):
    """Some of them, and only those have to be sent again."""
    google.service.change(faults={"item_unavailable": 0.3, "item_throttled": 0.3})
    calls = [google.groups.insert(body={"email": f"g{at}@kommune.example"}) for at in range(40)]

    answers = google.batch(*calls)

    done = [one for one in answers if isinstance(one, dict)]
    statuses = {one[0] for one in answers if isinstance(one, tuple)}
    assert 5 < len(done) < 35
    assert {503, 403} <= statuses <= {503, 403, 429}
    assert len(google.service.contents()["groups"]) == len(done)


def test_nothing_confirmed_is_lost_when_the_service_is_killed(google: Google):
    """Nor done twice: what was not confirmed is there or not. Tokens, keys and pages outlive it."""
    users, (group,) = google.service.seed(users=200, groups=1)
    confirmed: set[str] = set()
    killed = threading.Event()

    with _http(google.service) as client:

        def add(key: str) -> None:
            try:
                answer = client.post(f"/groups/{group}/members", json={"id": key})
            except httpx.TransportError:
                return
            if answer.status_code == 200:
                confirmed.add(key)
            if len(confirmed) >= 100:  # the rest comes when it is dead
                killed.wait(60)

        page = client.get("/users?customer=my_customer&maxResults=50").json()["nextPageToken"]
        with ThreadPoolExecutor(4) as pool:
            for key in users:
                pool.submit(add, key)
            while len(confirmed) < 20:
                time.sleep(0.01)
            google.service.kill()
            killed.set()
        google.service.start()
        more = client.get(f"/users?customer=my_customer&maxResults=50&pageToken={page}")

    members = google.service.contents()["groups"][group]["members"]
    assert 20 <= len(confirmed) < len(users)
    assert confirmed <= set(members)
    assert len(members) <= len(confirmed) + 4
    assert len(more.json()["users"]) == 50
    assert google.users.get(userKey="admin@kommune.example").execute()["isAdmin"]


def test_the_log_tells_no_secrets(google: Google):
    """Passwords are asterisks, in batches too, and tokens are not in it."""
    body = {"primaryEmail": "a@kommune.example", "name": {"givenName": "A", "familyName": "B"}, "password": "hemmelig1"}
    google.make_user("kari")
    google.batch(google.users.insert(body=body))

    single, batch = google.service.wire()

    assert single["request"]["password"] == batch["parts"][0]["request"]["password"] == "***"
    assert (batch["parts"][0]["method"], batch["parts"][0]["status"]) == ("POST", 200)
    assert "hemmelig1" not in str(google.service.wire())
    assert "ya29" not in str(google.service.wire())


ROWS = st.tuples(st.sampled_from(KINDS), st.sampled_from(["a", "b"]), st.sampled_from(["x@k", "y@k"]), st.booleans())


@given(st.lists(ROWS, max_size=12))
def test_the_journal_gives_the_account_back(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Kind, str, str, bool]]
):
    """Rows and what is derived from them, whatever was done; a half-written line is as if it had not been."""
    journal = tmp_path_factory.mktemp("journal") / "journal.jsonl"
    with closing(Store(journal)) as store:
        for kind, name, address, gone in steps:
            key = f"g/{name}" if kind in {"member", "licence"} else name
            if gone and key in store.rows[kind]:
                store.drop(kind, key)
            elif address not in store.holders:
                row = {"primaryEmail": address, "email": address, "name": name, "parent": "r", "sku": address}
                store.put(kind, key, row)
            store.commit()
    with Path(journal).open("ab") as file:
        file.write(b'[["user","c",{"primaryEmail"')

    with closing(Store(journal)) as again:
        assert again.rows == store.rows
        assert again.holders == store.holders
        assert {key: list(one) for key, one in again.members.items() if one} == {
            key: list(one) for key, one in store.members.items() if one
        }
        assert {key: one for key, one in again.children.items() if one} == {
            key: one for key, one in store.children.items() if one
        }
        assert +again.seats == +store.seats
