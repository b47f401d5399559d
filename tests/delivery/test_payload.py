from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Action, Kind
from eadm_sync.config.keys import Key
from eadm_sync.delivery.payload import FORMAT, pack, unpack
from eadm_sync.errors import StateError
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change, Value
from eadm_sync.state.crypto import Vault

VAULT = Vault([Key("one", bytes(32))])
CHANGE = Change("ad", Kind.ACCOUNT, Action.UPDATE, person="hr:1", attributes={"sn": ("Old", "Ødegård")})

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
sealed = st.builds(Sealed, st.binary(max_size=8), st.binary(min_size=1, max_size=8))
values: st.SearchStrategy[Value] = (
    st.none() | texts | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.lists(texts, max_size=3) | sealed
)
changes = st.builds(
    Change,
    target=texts,
    kind=st.sampled_from(Kind),
    action=st.sampled_from(Action),
    person=st.none() | texts,
    group=st.none() | texts,
    sku=st.none() | texts,
    role=texts,
    attributes=st.dictionaries(texts, st.tuples(values, values), max_size=4),
    container=st.none() | st.tuples(st.none() | texts, st.none() | texts),
    enabled=st.none() | st.booleans(),
    deactivates=st.booleans(),
    rule=texts,
    reason=texts,
)


@given(changes)
def test_a_change_comes_out_of_the_queue_as_it_went_in(change: Change):
    """Every value keeps its type, and sealed ones their ciphertext."""
    packed = pack(change, VAULT)

    assert unpack(packed, FORMAT, VAULT) == change
    assert repr(unpack(packed, FORMAT, VAULT)) == repr(change)


def test_a_payload_tells_nothing():
    """It is encrypted, and differently each time."""
    one, other = pack(CHANGE, VAULT), pack(CHANGE, VAULT)

    assert one != other
    assert "Ødegård".encode() not in one


def test_a_payload_of_another_format_is_refused():
    """A later program's changes are not guessed at."""
    with pytest.raises(StateError, match="change/2"):
        unpack(pack(CHANGE, VAULT), "change/2", VAULT)


def test_a_payload_under_another_key_is_refused():
    """The key that sealed it is named."""
    with pytest.raises(StateError, match="key 'one'"):
        unpack(pack(CHANGE, VAULT), FORMAT, Vault([Key("two", bytes(32))]))


def test_a_sealed_value_of_another_purpose_is_no_payload():
    """What was encrypted for elsewhere cannot be put into the queue."""
    with pytest.raises(StateError):
        unpack(VAULT.encrypt(b"\x80", f"{date.min}".encode()), FORMAT, VAULT)
