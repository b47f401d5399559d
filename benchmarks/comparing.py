"""Contenders that take turns on one server within one process, and how they are told of."""

from __future__ import annotations

import json
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from benchmarks.measuring import Cost, best

_KIB_PER_MIB = 1024


@dataclass(frozen=True)
class Comparison:
    """One piece of work, by us and by somebody else on the same server.

    Attributes:
        what: The work.
        floor: Who else did it.
        count: Objects that went through it each time.
        least: Share of the other's rate that we have to reach.
        ours: What each of our runs cost.
        floors: What each of the other's cost.
    """

    what: str
    floor: str
    count: int
    least: float
    ours: Sequence[Cost]
    floors: Sequence[Cost]

    @property
    def ratio(self) -> float:
        """Our best rate to the other's."""
        return best(self.floors).seconds / best(self.ours).seconds

    @property
    def kept(self) -> bool:
        """Whether we reached our share."""
        return self.ratio >= self.least

    def __str__(self) -> str:
        ours, floor = (self.count / best(each).seconds for each in (self.ours, self.floors))
        verdict = "kept" if self.kept else "BELOW ITS FLOOR"
        return (
            f"{self.what:10}{ours:7.0f}/s   {self.floor:13}{floor:7.0f}/s"
            f"   {self.ratio:5.2f}× of ≥ {self.least:g}×   {verdict}"
        )


def cost_here(work: Callable[[], object]) -> Cost:
    """What a piece of work costs this process; the memory is the most that it ever had."""
    started, busy = time.perf_counter(), time.process_time()
    work()
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - busy
    return Cost(seconds, cpu_seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _KIB_PER_MIB)


def finish(comparisons: Sequence[Comparison], *, as_json: bool) -> None:
    """Prints them and ends the program, with 1 where a floor was not kept; as one line of JSON always with 0."""
    if as_json:
        print(json.dumps([asdict(each) for each in comparisons]))
        sys.exit(0)
    print("\n".join(map(str, comparisons)))
    sys.exit(0 if all(each.kept for each in comparisons) else 1)


def parse(line: str) -> list[Comparison]:
    """What `finish` printed as JSON."""
    costs = ("ours", "floors")
    return [
        Comparison(**{**each, **{name: [Cost(**one) for one in each[name]] for name in costs}})
        for each in json.loads(line)
    ]
