"""Tells the stories of many seeds: `make simulation`, or SEEDS=50 YEARS=10 PEOPLE=100 EVERY=7 before it.

PROCESSES seeds are told at once; each POSTGRESQL-th keeps its state in PostgreSQL, where that is installed (0: none).
One that fails is cut short for SHRINK seconds at most.
"""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from tests.postgresql import start_new, what_is_missing

from .seeds import Result, tell_seed
from .story import Size
from .telling import Told


def main() -> int:
    """Tells them; returns 1 if one of them fails."""
    seeds, first, size = (
        _number("SEEDS", 10),
        _number("FIRST_SEED", 1),
        Size(years=float(os.environ.get("YEARS", "2")), people=_number("PEOPLE", 30), every=_number("EVERY", 1)),
    )
    each = 0 if what_is_missing() else _number("POSTGRESQL", 5)
    began, told, failed = time.monotonic(), Told(), 0
    with ProcessPoolExecutor(_number("PROCESSES", 2)) as pool:
        waiting = [
            pool.submit(_tell, seed, size, is_served=each > 0 and seed % each == 0)
            for seed in range(first, first + seeds)
        ]
        for number, done in enumerate(as_completed(waiting), 1):
            result = done.result()
            told, failed = told.plus(result.told), failed + (result.failure is not None)
            words = f"seed {result.seed}: {result.told} in {result.seconds:.0f} s"
            print(result.failure or f"{number} of {seeds}, {words}", flush=True)  # noqa: T201 - it is run by hand
    years = size.years * size.people * seeds
    seconds = time.monotonic() - began
    print(f"{seeds} seeds, {years:.0f} person-years, {failed} failed: {told} in {seconds:.0f} s")  # noqa: T201 - as above
    return int(failed > 0)


def _number(name: str, otherwise: int) -> int:
    return int(os.environ.get(name, otherwise))


def _tell(seed: int, size: Size, *, is_served: bool) -> Result:
    seconds = _number("SHRINK", 600)
    if not is_served:
        return tell_seed(seed, size, seconds)
    server = start_new()
    try:
        return tell_seed(seed, size, seconds, server.database)
    finally:
        server.remove()


if __name__ == "__main__":
    sys.exit(main())
