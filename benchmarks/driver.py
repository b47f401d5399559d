"""Runs the main job as the `eadm-sync` command will, without the shell's rendering.

    python -m benchmarks.driver plan|sync CONFIG

`plan` reads its whole plan once, as whoever shows or saves it must. Both print their counts as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from eadm_sync.app.context import open_context
from eadm_sync.app.planning import Planned, planned
from eadm_sync.app.syncing import sync
from eadm_sync.clock import SystemClock
from eadm_sync.plan.plan import Plan


def main() -> None:
    """Plans, or plans and delivers."""
    command, config = sys.argv[1:]
    context = open_context(Path(config), SystemClock())
    counts: dict[str, int] = {}

    def note(plan: Plan) -> None:
        counts.update({f"{target}.{kind}.{action}": number for (target, kind, action), number in plan.counts.items()})

    if command == "plan":
        with context.reading() as database, planned(context, database) as made:
            note(made.plan)
            for _frame in made.plan.judged():
                pass
    else:

        def accept(made: Planned) -> bool:
            note(made.plan)
            return True

        report = sync(context, accept)
        if not report.is_complete or report.held:
            sys.exit(f"the sync is not complete: {report}")
    print(json.dumps(counts, sort_keys=True))


if __name__ == "__main__":
    main()
