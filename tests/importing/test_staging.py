"""Staged records: found by key, whatever their keys have in common."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

import eadm_sync.fingerprints
from eadm_sync.config.keys import Key
from eadm_sync.importing.records import SourcePerson, encode_person
from eadm_sync.importing.staging import HASH_BYTES, Staged
from eadm_sync.state.crypto import Vault

VAULT = Vault([Key("k1", b"k" * 32)])
ALL_ALIKE: list[Callable[[str], int]] = [
    eadm_sync.fingerprints.fingerprint,
    lambda _text: 7,  # all keys have one fingerprint
    lambda text: 1 + len(text) % 2,
]


def person(key: str, number: int) -> SourcePerson:
    """Somebody with an employee number."""
    return SourcePerson(source="hr", key=key, given_name=f"Kari {number}", employee_number=str(number))


@pytest.mark.parametrize("fingerprint", ALL_ALIKE)
@given(
    moves=st.lists(
        st.tuples(
            st.sampled_from(["new", "known", "returned", "drop"]), st.sampled_from(["1", "2", "13", "å", "14", ""])
        ),
        max_size=15,
    )
)
def test_staged_records_are_those_that_were_staged_and_not_dropped(
    fingerprint: Callable[[str], int], moves: list[tuple[str, str]]
) -> None:
    """By key, in order, with hash, links and record; and the same if other keys have the same fingerprint."""
    before = eadm_sync.fingerprints.fingerprint
    eadm_sync.fingerprints.fingerprint = fingerprint
    try:
        check(moves)
    finally:
        eadm_sync.fingerprints.fingerprint = before


def check(moves: list[tuple[str, str]]) -> None:
    """Stages and drops, and compares with a dictionary after each move."""
    staged, there, seen = Staged("hr", ["employee_number", "email"], VAULT), {}, set()
    for number, (what, key) in enumerate(moves):
        if what == "drop":
            staged.drop(key)
            there.pop(key, None)
        elif key not in seen:  # a key is read once
            seen.add(key)
            staged.add(person(key, number), bytes([number]) * HASH_BYTES)
            there[key] = (what, number)
            if what != "new":
                getattr(staged, what).add(key)

        assert list(staged) == list(there)
        assert len(staged) == len(there)
        assert [key in staged for key in sorted(seen)] == [key in there for key in sorted(seen)]
        assert "another" not in staged
        assert list(staged.new()) == [key for key, (what, _) in there.items() if what == "new"]
        assert staged.new_count == sum(what == "new" for what, _ in there.values())
        assert staged.stored() == sorted(key for key, (what, _) in there.items() if what != "new")
        assert {key: staged.find(key) for key in seen} == {
            key: person(key, there[key][1]) if key in there else None for key in seen
        }
        assert list(staged.rows()) == [
            (key, bytes([number]) * HASH_BYTES, encode_person(person(key, number)))
            for key, (_, number) in there.items()
        ]
        assert [key for key, _ in staged.all_links()] == list(there)
        assert all(links == staged.links(key) and len(links) == 1 for key, links in staged.all_links())


def test_what_is_not_staged_has_no_record() -> None:
    """Whoever asks for it by mistake is told."""
    with pytest.raises(KeyError):
        Staged("hr", [], VAULT).person("1")
