"""Records that are staged: what memory does not hold is read back as it was written."""

from __future__ import annotations

import random

import pytest

from eadm_sync.importing.staging import Pieces


@pytest.mark.parametrize("in_memory_bytes", [1, 100, 10_000, 10_000_000])
def test_every_piece_is_read_back_wherever_it_lies(in_memory_bytes: int) -> None:
    """In whatever order, while others are written."""
    pieces, chance = Pieces(in_memory_bytes), random.Random(1)
    written: dict[int, bytes] = {}
    for _ in range(1_000):
        piece = chance.randbytes(chance.randrange(200))
        written[pieces.add(piece)] = piece
        place = chance.choice(list(written))
        assert pieces[place] == written[place]
    assert all(pieces[place] == piece for place, piece in written.items())
