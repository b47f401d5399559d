"""Tells the stories of many seeds, several at once: `make simulation`, or SEEDS=50 YEARS=2 PEOPLE=20 before it."""

from __future__ import annotations

import os
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed

from .seeds import tell_seed
from .story import Size
from .telling import Told


def main() -> int:
    """Tells them; returns 1 if one of them fails."""
    seeds, first = int(os.environ.get("SEEDS", "10")), int(os.environ.get("FIRST_SEED", "1"))
    size = Size(years=float(os.environ.get("YEARS", "2")), people=int(os.environ.get("PEOPLE", "30")))
    began, told, failed = time.monotonic(), Told(), 0
    with ProcessPoolExecutor() as pool:
        for done in as_completed([pool.submit(tell_seed, seed, size) for seed in range(first, first + seeds)]):
            result = done.result()
            told, failed = told.plus(result.told), failed + (result.failure is not None)
            print(result.failure or f"seed {result.seed}: {result.told} in {result.seconds:.0f} s", flush=True)  # noqa: T201 - it is run by hand
    years = size.years * size.people * seeds
    seconds = time.monotonic() - began
    print(f"{seeds} seeds, {years:.0f} person-years, {failed} failed: {told} in {seconds:.0f} s")  # noqa: T201 - as above
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
