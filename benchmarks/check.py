"""Compares the last quick result with the ratios that are committed: what has become slower?

    make bench-check                       measures first
    python -m benchmarks.check             the last result of `make bench`
    python -m benchmarks.check --accept    makes its ratios the expected ones

Only ratios are compared, since both sides of one were measured on the same machine in the same run. Exits with 1 where
one has grown by more than the tolerance, or was not taken. It is run by hand: a shared machine would fail it at random.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from benchmarks.report import Figure, latest

EXPECTED = Path(__file__).parent / "expected.json"
TOLERANCE = 1.3
"""Runs on a quiet machine differ by less than a tenth; figures of milliseconds by more."""

Ratios = Mapping[str, float]

_COUNT = re.compile(r", [\d,]+, (?=against )")


def main() -> None:
    """Compares, or accepts."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.check", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)  # fmt: skip
    parser.add_argument("--accept", action="store_true", help="make these ratios the expected ones")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="how many times as high a ratio may be")
    options = parser.parse_args()
    result = latest("quick")
    if result is None:
        sys.exit("there is no result to compare: make bench")
    found = ratios(result)
    if options.accept:
        EXPECTED.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        return
    if not EXPECTED.exists():
        sys.exit("no ratios are expected yet: python -m benchmarks.check --accept")
    expected: Ratios = json.loads(EXPECTED.read_text(encoding="utf-8"))
    faults = list(slower(expected, found, options.tolerance))
    print("\n".join(faults) or f"none of {len(expected)} ratios has grown by more than {options.tolerance:g}×")
    sys.exit(1 if faults else 0)


def ratios(result: Figure) -> dict[str, float]:
    """Each figure's ratio, by what was measured, without counts: how much a quota lets through differs."""
    return {f"{row['id']} {_COUNT.sub(', ', row['what'])}": row["ratio"] for row in result["rows"]}


def slower(expected: Ratios, found: Ratios, tolerance: float) -> Iterator[str]:
    """What has become slower than it may, or was not measured, in words."""
    for name, ratio in expected.items():
        if name not in found:
            yield f"{name}: was not measured"
        elif found[name] > ratio * tolerance:
            yield f"{name}: {found[name]:.2f}×, expected {ratio:.2f}×"


if __name__ == "__main__":
    main()
