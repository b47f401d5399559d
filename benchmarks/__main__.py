"""Takes the project's figures, each against a floor in the same run.

    python -m benchmarks                                  everything, 100 000 people, the median of three runs
    python -m benchmarks --people 10000 --only P1,P2
    make bench

Every run is a process of its own, ours and the floor by turns, on an invented town in a temporary folder. The figures
go to benchmarks/results/<date>-<commit>.json, and a table to the terminal. No figure is asserted: a machine that is
busy with something else gives other ones, and the ratios are what to look at.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.figures import FIGURES, Bench, Row
from benchmarks.installation import Installations
from benchmarks.report import table, write

PEOPLE = 100_000
REPEATS = 3


def main() -> None:
    """Measures, writes and prints."""
    options = _options()
    rows: list[Row] = []
    failures: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="eadm-sync-bench-") as folder:
        bench = Bench(Installations(Path(folder), options.people), options.repeats)
        for id_, figure in FIGURES.items():
            if id_ not in options.only:
                continue
            try:
                for row in figure(bench):
                    rows.append(row)
                    print(f"{row.id:4}{row.ours.seconds:9.2f} s {row.ratio:8.2f}×  {row.what}", flush=True)
            except (RuntimeError, OSError) as error:
                failures[id_] = str(error)
                print(f"{id_} could not be measured: {error}", file=sys.stderr, flush=True)
    whole = options.people == PEOPLE and options.repeats >= REPEATS and set(options.only) == set(FIGURES)
    written = write(rows, failures, options.people, options.repeats, whole=whole)
    print(f"\n{table(rows, options.people)}\n\nwritten to {written}")
    sys.exit(1 if failures else 0)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--people", type=int, default=PEOPLE, help="people in the town (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="runs of each, whose median counts")
    parser.add_argument("--only", type=_ids, default=tuple(FIGURES), help=f"ids out of {','.join(sorted(FIGURES))}")
    return parser.parse_args()


def _ids(text: str) -> tuple[str, ...]:
    ids = tuple(text.split(","))
    unknown = [each for each in ids if each not in FIGURES]
    if unknown:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}")
    return ids


if __name__ == "__main__":
    main()
