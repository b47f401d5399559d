"""The figures as a file and as a table."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.figures import Row
from benchmarks.installation import PLAN, SYNC, knows
from benchmarks.town import PROJECT, SEED

RESULTS = PROJECT / "benchmarks" / "results"
PACKAGES = ("sqlalchemy", "msgspec", "cryptography", "jinja2", "pydantic", "typer")
_HEADER = ("id", "what", "seconds", "CPU s", "peak MiB", "floor s", "ratio", "aim", "met")

Figure = dict[str, Any]
"""A row as it stands in a result."""


@dataclass(frozen=True)
class Taken:
    """What one run has measured.

    Attributes:
        rows: The figures.
        failures: Id of what could not be measured → why.
        people: In the town.
        repeats: Runs of each.
        kind: "full", "quick" or "trial": some figures only, or of another number of people.
    """

    rows: Sequence[Row]
    failures: dict[str, str]
    people: int
    repeats: int
    kind: str


def write(taken: Taken) -> Path:
    """Writes one run's figures as JSON; a later one of its kind on the same commit and day takes its place."""
    commit = _git("rev-parse", "--short", "HEAD")
    now = datetime.now(UTC)
    out = {
        "taken_at": now.isoformat(timespec="seconds"),
        "kind": taken.kind,
        "commit": commit,
        "uncommitted_changes": bool(_git("status", "--porcelain")),
        "machine": machine(),
        "versions": {name: version(name) for name in PACKAGES},
        "people": taken.people,
        "seed": SEED,
        "through": {name[0]: "eadm-sync" if knows(name) else "benchmarks.driver" for name in (PLAN, SYNC)},
        "repeats": taken.repeats,
        "rows": [as_json(row) for row in taken.rows],
        "failures": taken.failures,
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{now:%Y-%m-%d}-{commit}{'' if taken.kind == 'full' else f'-{taken.kind}'}.json"
    path.write_text(json.dumps(out, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def latest(*kinds: str, folder: Path = RESULTS) -> Figure | None:
    """The newest result of some kinds, or None where there is none."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")]
    wanted = [result for result in results if result.get("kind") in kinds]
    return max(wanted, key=lambda result: str(result["taken_at"]), default=None)


def machine() -> dict[str, Any]:
    """What it was measured on; `load` is how many others wanted a core in the last fifteen minutes."""
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "load": round(os.getloadavg()[2], 2),
        "system": platform.platform(),
        "python": sys.version.split()[0],
        "sqlite": sqlite3.sqlite_version,
    }


def as_json(row: Row) -> Figure:
    """One figure."""
    own, floor = row.runs
    return {
        "id": row.id,
        "what": row.what,
        "seconds": round(row.ours.seconds, 3),
        "floor": row.floor,
        "floor_seconds": round(row.floor_cost.seconds, 3),
        "cpu_seconds": round(row.ours.cpu_seconds, 3),
        "peak_mib": round(row.ours.peak_mib, 1),
        "ratio": round(row.ratio, 2),
        "aim": str(row.aim),
        "met": row.met,
        "floor_cpu_seconds": round(row.floor_cost.cpu_seconds, 3),
        "floor_peak_mib": round(row.floor_cost.peak_mib, 1),
        "runs": [round(seconds, 3) for seconds in own],
        "floor_runs": [round(seconds, 3) for seconds in floor],
    }


def table(rows: Iterable[Figure]) -> str:
    """The figures in Markdown."""
    lines = [_line(_HEADER), _line(["---"] * len(_HEADER))]
    return "\n".join([*lines, *(_line(_cells(row)) for row in rows)])


def _cells(row: Figure) -> Sequence[str]:
    ours = f"{row['seconds']:.2f}", f"{row['cpu_seconds']:.2f}", f"{row['peak_mib']:.0f}"
    against = f"{row['floor_seconds']:.2f}", f"{row['ratio']:.2f}×", row["aim"]
    return row["id"], row["what"], *ours, *against, _verdict(row)


def _verdict(row: Figure) -> str:
    if not row["aim"]:
        return ""
    return "yes" if row["met"] else "no"


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _git(*arguments: str) -> str:
    done = subprocess.run(("git", "-C", PROJECT, *arguments), check=True, capture_output=True, text=True)  # noqa: S607 - the git of whoever measures
    return done.stdout.strip()


def _cpu() -> str:
    """The processor as Linux names it, or what Python knows."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
