from __future__ import annotations

import pytest

from eadm_sync.app.delivering import TargetReport
from eadm_sync.app.syncing import SyncReport


@pytest.mark.parametrize(
    ("report", "complete"),
    [
        (SyncReport("run"), True),
        (SyncReport("run", enqueued=3, targets=(TargetReport("ad", done=3),)), True),
        # a held change is somebody's decision to take, and told as such
        (SyncReport("run", held=3), True),
        # nothing may end with success while something is not where it should be
        (SyncReport("run", targets=(TargetReport("ad", done=3), TargetReport("entra", left=1))), False),
        (SyncReport("run", targets=(TargetReport("ad", dead=1),)), False),
        (SyncReport("run", targets=(TargetReport("ad", error="down"),)), False),
        (SyncReport("run", failed_sources=("hr",)), False),
    ],
)
def test_a_run_is_complete_when_everything_is_where_it_should_be(report: SyncReport, complete: bool):
    """Every source read, every change delivered."""
    assert report.is_complete is complete
