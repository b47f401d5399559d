"""Pieces of bytes: what memory does not hold is read back as it was written."""

from __future__ import annotations

import random

import pytest

from eadm_sync.pieces import Pieces


@pytest.mark.parametrize("in_memory_bytes", [1, 100, 10_000, 10_000_000])
def test_every_piece_is_read_back_wherever_it_lies(in_memory_bytes: int) -> None:
    """In whatever order, while others are written."""
    pieces, chance = Pieces(in_memory_bytes), random.Random(1)
    written: dict[int, bytes] = {}
    for _ in range(1_000):
        piece = chance.randbytes(chance.randrange(1, 200))
        written[pieces.add(piece)] = piece
        place = chance.choice(list(written))
        assert pieces[place] == written[place]
    assert all(pieces[place] == piece for place, piece in written.items())
    assert 0 not in written


@pytest.mark.parametrize("in_memory_bytes", [1, 100, 10_000, 50_000, 10_000_000])
@pytest.mark.parametrize("number", [0, 1, 999, 1_000, 1_001, 2_500])
def test_all_pieces_come_as_they_were_written(in_memory_bytes: int, number: int) -> None:
    """Those that are written out, those that are not, and blocks that begin in a file and end in memory."""
    pieces, chance = Pieces(in_memory_bytes), random.Random(number)
    written = [
        (pieces.add(piece), piece) for piece in (chance.randbytes(chance.randrange(1, 60)) for _ in range(number))
    ]

    assert list(pieces) == written


def test_pieces_that_are_added_meanwhile_are_left_out() -> None:
    """Whoever goes through all of them may add more."""
    pieces = Pieces(10)
    for piece in (b"one", b"two", b"three"):
        pieces.add(piece)

    seen = []
    for _, piece in pieces:
        seen.append(piece)
        pieces.add(piece.upper())

    assert seen == [b"one", b"two", b"three"]
    assert [piece for _, piece in pieces] == [*seen, b"ONE", b"TWO", b"THREE"]
