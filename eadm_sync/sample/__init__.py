"""Invented municipalities: source files to try things on, with nobody real in them.

`write` is what the shell calls. Underneath everything is pure: `build` makes the first day from a seed,
`days.next_day` makes each later one, `writers` turns a day into files.
"""

from __future__ import annotations

from eadm_sync.sample.write import Written, write

__all__ = ["Written", "write"]
