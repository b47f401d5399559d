"""Holding a plan outside of memory."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Action, Kind
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change, PersonFrame
from eadm_sync.plan.spool import Spool


def frame(number: int, title: str = "Lærer") -> PersonFrame:
    """Somebody's frame."""
    change = Change("ad", Kind.ACCOUNT, Action.UPDATE, person=f"hr:{number}", attributes={"title": (None, title)})
    return PersonFrame(f"hr:{number}", "Kari Øvrebø", "active", (("username", "kari"),), (change,))


@given(numbers=st.lists(st.integers(0, 10_000), max_size=50))
def test_frames_come_back_as_they_were_any_number_of_times(numbers: list[int]):
    """Shown, judged and enqueued: each is a reading of its own."""
    with Spool(PersonFrame) as spool:
        for number in numbers:
            spool.append(frame(number))

        first, second = list(spool), list(spool)

    assert first == second == [frame(number) for number in numbers]


@pytest.mark.parametrize("text", ["short", "x" * 500_000])
def test_what_is_appended_after_a_reading_stands_behind_the_rest(text: str):
    """Also beyond the size that is kept in memory."""
    with Spool(PersonFrame) as spool:
        for number in range(40):
            spool.append(frame(number, text))
        assert len(list(spool)) == 40
        spool.append(frame(40))

        assert [one.person for one in spool] == [f"hr:{number}" for number in range(41)]


def test_the_digest_tells_plans_apart():
    """Equal frames, equal digest; another value, another order, another digest."""
    digests = []
    for frames in ([frame(1), frame(2)], [frame(1), frame(2)], [frame(2), frame(1)], [frame(1, "Rektor"), frame(2)]):
        with Spool(PersonFrame) as spool:
            for one in frames:
                spool.append(one)
            digests.append(spool.digest)

    assert digests[0] == digests[1]
    assert len(set(digests)) == 3


def test_sensitive_values_stay_sealed():
    """What lies in the temporary file is ciphertext, and it comes back sealed."""
    sealed = Sealed(b"cipher", b"digest")
    change = Change("ad", Kind.ACCOUNT, Action.UPDATE, person="hr:1", attributes={"nin": (None, sealed)})

    with Spool(PersonFrame) as spool:
        spool.append(PersonFrame("hr:1", "", "active", (), (change,)))
        (back,) = spool

    assert back.changes[0].attributes["nin"] == (None, sealed)
    assert isinstance(back.changes[0].attributes["nin"][1], Sealed)
