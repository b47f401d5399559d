from __future__ import annotations

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, MetaData, create_engine

from connectors.contract import Action, Kind
from eadm_sync.config.keys import Key
from eadm_sync.delivery.doubting import all_doubts, end_answered, note_tried
from eadm_sync.delivery.enqueueing import items
from eadm_sync.plan.change import Change
from eadm_sync.state import tables
from eadm_sync.state.crypto import Vault
from eadm_sync.state.doubts import GONE, MADE, Doubt, load_doubts
from exportqueue import Queue, define

VAULT = Vault([Key("one", bytes(32))])
LEAVES = Change("ad", Kind.ACCOUNT, Action.DISABLE, person="hr:1", deactivates=True)
RETURNS = Change("ad", Kind.ACCOUNT, Action.ENABLE, person="hr:2")
CALLED = {("ad", Kind.ACCOUNT): "name", ("ad", Kind.GROUP): "name"}
ENABLED = Doubt("ad", Kind.ACCOUNT, "", "enabled")


@pytest.fixture
def connection(tmp_path: object) -> Iterator[Connection]:
    """An empty state with an empty queue."""
    engine = create_engine(f"sqlite:///{tmp_path}/state.db")
    tables.metadata.create_all(engine)
    define(metadata := MetaData())
    metadata.create_all(engine)
    with engine.connect() as opened:
        yield opened
    engine.dispose()


@pytest.fixture
def queue(connection: Connection) -> Queue:
    """Somebody leaves and somebody returns; nothing was sent yet."""
    made = Queue(define(MetaData()))
    made.enqueue(connection, items([LEAVES, RETURNS], VAULT))
    return made


def send(connection: Connection, queue: Queue) -> None:
    """Everything is sent, and no answer comes."""
    claimed = queue.claim(connection, "ad", limit=10, lease_seconds=60, worker="w1")
    assert queue.give_back(connection, claimed) == {item.id for item in claimed}


def test_what_was_sent_unheard_is_in_doubt(connection: Connection, queue: Queue):
    """Of what was not sent, only that an account was to be given again."""
    assert all_doubts(connection, queue, VAULT) == {"hr:2": {ENABLED}}

    send(connection, queue)

    assert all_doubts(connection, queue, VAULT) == {"hr:1": {ENABLED}, "hr:2": {ENABLED}}


def test_of_an_account_that_may_have_been_made_the_name_is_kept(connection: Connection, queue: Queue):
    """By it the account is found again; one that may be gone is known."""
    named = Change("ad", Kind.ACCOUNT, Action.CREATE, person="hr:3", attributes={"name": (None, "kari")})
    queue.enqueue(connection, items([named, Change("ad", Kind.ACCOUNT, Action.DELETE, person="hr:4")], VAULT))
    send(connection, queue)

    note_tried(connection, queue, VAULT, ["hr:3", "hr:4"], CALLED)

    assert load_doubts(connection) == {
        "hr:3": {Doubt("ad", Kind.ACCOUNT, "kari", MADE)},
        "hr:4": {Doubt("ad", Kind.ACCOUNT, "", GONE)},
    }


def test_a_doubt_outlives_the_queued_change_and_ends_with_an_answer(connection: Connection, queue: Queue):
    """A newer plan takes the change's place, and one after it may do so again, before the target answers."""
    send(connection, queue)
    note_tried(connection, queue, VAULT, ["hr:1"], CALLED)
    queue.supersede(connection, ["hr:1", "hr:2"])

    assert all_doubts(connection, queue, VAULT) == {"hr:1": {ENABLED}}

    end_answered(connection, [Change("ad", Kind.LICENCE, Action.CREATE, person="hr:1", sku="OFFICE"), RETURNS])
    assert all_doubts(connection, queue, VAULT) == {"hr:1": {ENABLED}}

    end_answered(connection, [LEAVES])
    assert all_doubts(connection, queue, VAULT) == {}
