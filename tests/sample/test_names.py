from __future__ import annotations

import pytest

from eadm_sync.sample.dice import Dice
from eadm_sync.sample.names import CURIOSITIES, Name, Names, mailbox


def test_every_curiosity_comes_up_in_a_small_town():
    """A town of 150 has each of the awkward names at least once."""
    names = Names(Dice("names"), curious=True)

    made = {names.next() for _ in range(150)}

    assert made >= set(CURIOSITIES)


def test_some_people_share_a_name():
    """Among a thousand people at least ten have exactly somebody else's name."""
    names = Names(Dice("names"))

    made = [names.next() for _ in range(1000)]

    assert len(made) - len(set(made)) >= 10


@pytest.mark.parametrize(
    ("given", "family", "expected"),
    [
        ("Åse Ægir", "Åå", "ase.aa7@post.example"),  # folded as Norwegians do
        ("Łukasz", "Wójcik", "lukasz.wojcik7@post.example"),
        ("Sinéad", "O'Brien", "sinead.obrien7@post.example"),  # no sign that an address cannot hold
        ("สมชาย", "ใจดี", "post7@post.example"),  # nothing left to write
    ],
)
def test_mailboxes_are_plain(given: str, family: str, expected: str):
    """Whatever the name, the address is plain ASCII."""
    assert mailbox(Name(given, family, "K", foreign=False), 7) == expected
