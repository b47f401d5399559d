"""Runs a command in a process of its own and says what it cost.

This module imports little on purpose: Linux counts the memory of the process that starts a program towards the peak of
the program started (`execve` keeps the highest resident size), so whoever measures must be small.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from statistics import median
from typing import IO

LONG_SECONDS = 60
"""What takes longer is run once: it has averaged over a minute of whatever else goes on."""

_KIB_PER_MIB = 1024
_BYTES_PER_MIB = 1024 * 1024


@dataclass(frozen=True)
class Cost:
    """What one run cost.

    Attributes:
        seconds: By the clock on the wall; where the command prints `{"seconds": …}` last, what it says.
        cpu_seconds: User and system time of the whole process, its preparation included.
        peak_mib: The most memory that was resident at once.
    """

    seconds: float
    cpu_seconds: float
    peak_mib: float


def cost(command: Sequence[str], accepted: frozenset[int] = frozenset({0})) -> Cost:
    """Runs a command to its end.

    Args:
        command: Program and arguments.
        accepted: Exit codes that are no failure.

    Raises:
        RuntimeError: It failed; holds the end of what it wrote.
    """
    os.sync()  # what an earlier run has yet to write is not for this one to wait for
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=out, stderr=err, cwd=_PROJECT, env=environment()
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode not in accepted:
            raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {_end(err)} {_end(out)}")
        said = _said(_end(out))
    unit = _BYTES_PER_MIB if sys.platform == "darwin" else _KIB_PER_MIB
    return Cost(said.get("seconds", seconds), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / unit)


def environment() -> dict[str, str]:
    """This process's, but for what keeps Python from loading modules as installed programs do, from compiled files."""
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def compile_all() -> None:
    """Has the project's modules compiled, so that no run that is measured has to."""
    subprocess.run((sys.executable, "-m", "compileall", "-q", *_COMPILED), check=True, cwd=_PROJECT, env=environment())


def interleaved(
    first: Callable[[], Cost], second: Callable[[], Cost], repeats: int
) -> tuple[tuple[Cost, ...], tuple[Cost, ...]]:
    """Runs two things by turns, so that what else the machine does weighs on both; once only what takes minutes."""
    pairs = [(first(), second())]
    while len(pairs) < repeats and sum(each.seconds for each in pairs[0]) < LONG_SECONDS:
        pairs.append((first(), second()))
    return tuple(one for one, _ in pairs), tuple(other for _, other in pairs)


def scaled(cost: Cost, times: float) -> Cost:
    """What so many times the work would have cost; memory does not grow with it."""
    return Cost(cost.seconds * times, cost.cpu_seconds * times, cost.peak_mib)


def best(costs: Sequence[Cost]) -> Cost:
    """The run that was the quickest."""
    return min(costs, key=lambda each: each.seconds)


def middle(costs: Sequence[Cost]) -> Cost:
    """The median of each figure."""
    return Cost(*(median(getattr(each, field.name) for each in costs) for field in fields(Cost)))


_PROJECT = Path(__file__).parent.parent
_COMPILED = ("eadm_sync", "exportqueue", "connectors", "benchmarks", "tests")
_TAIL_BYTES = 2000


def _end(file: IO[bytes]) -> str:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - _TAIL_BYTES))
    return file.read().decode("utf-8", "replace").strip()


def _said(text: str) -> dict[str, float]:
    last = text.rpartition("\n")[2]
    if not last.startswith('{"seconds"'):
        return {}
    said: dict[str, float] = json.loads(last)
    return said
