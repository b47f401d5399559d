"""Takes the project's figures, each against a floor or a peer in the same run.

    make bench          20 000 people, one run of each: minutes
    make bench-full     100 000 people, the median of three runs (one, where it takes over a minute); PostgreSQL
                        beside SQLite, and 1 000 000 people once
    python -m benchmarks --people 10000 --only P1,P2

Every run is a process of its own, ours and the floor by turns, on an invented town in a temporary folder. The figures
go to benchmarks/results/<date>-<commit>.json, as soon as they are taken, and a table to the terminal. No figure is
asserted: a machine that is busy with something else gives other ones, and the ratios are what to look at.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import FIGURES, Bench
from benchmarks.installation import Installations
from benchmarks.measuring import compile_all
from benchmarks.report import Taken, as_json, table, write

PEOPLE, REPEATS = 20_000, 1
FULL_PEOPLE, FULL_REPEATS = 100_000, 3


def main() -> None:
    """Measures, writes and prints."""
    options = _options()
    failures: dict[str, str] = {}
    compile_all()
    with tempfile.TemporaryDirectory(prefix="eadm-sync-bench-") as folder:
        bench = Bench(Installations(Path(folder), options.people), options.repeats, options.full)
        for id_, figure in FIGURES.items():
            if id_ not in options.only:
                continue
            try:
                for row in figure(bench):
                    bench.taken.append(row)
                    print(f"{row.id:4}{row.ours.seconds:9.2f} s {row.ratio:8.2f}×  {row.what}", flush=True)
            except (RuntimeError, OSError) as error:
                failures[id_] = str(error)
                print(f"{id_} could not be measured: {error}", file=sys.stderr, flush=True)
            so_far = write(Taken(bench.taken, failures, options.people, options.repeats, "trial"))
    so_far.unlink()
    written = write(Taken(bench.taken, failures, options.people, options.repeats, _kind(options)))
    print(f"\n{table([as_json(row) for row in bench.taken])}\n\nwritten to {written}")
    sys.exit(1 if failures else 0)


def _kind(options: argparse.Namespace) -> str:
    """Full and quick runs can be compared with one another; anything else is a trial."""
    whole = set(options.only) == set(FIGURES)
    if whole and options.full and options.people == FULL_PEOPLE and options.repeats == FULL_REPEATS:
        return "full"
    if whole and not options.full and options.people == PEOPLE:
        return "quick"
    return "trial"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--full", action="store_true", help="all of it: takes an hour or two, and 40 GB of disk")
    parser.add_argument("--people", type=int, help=f"people in the town (default {PEOPLE}, with --full {FULL_PEOPLE})")
    parser.add_argument("--repeats", type=int, help="runs of each, whose median counts")
    parser.add_argument("--only", type=_ids, default=tuple(FIGURES), help=f"ids out of {','.join(FIGURES)}")
    options = parser.parse_args()
    people, repeats = (FULL_PEOPLE, FULL_REPEATS) if options.full else (PEOPLE, REPEATS)
    options.people, options.repeats = options.people or people, options.repeats or repeats
    return options


def _ids(text: str) -> tuple[str, ...]:
    ids = tuple(text.split(","))
    unknown = [each for each in ids if each not in FIGURES]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}")
    return ids


if __name__ == "__main__":
    main()
