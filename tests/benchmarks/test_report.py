"""Figures as results, as a table, and compared with those that are expected."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.check import EXPECTED, ratios, slower
from benchmarks.figures import Aim, Row
from benchmarks.flame import drawing, gathered
from benchmarks.measuring import Cost, scaled
from benchmarks.readme import is_current, with_figures
from benchmarks.report import as_json, latest, table

ROOT = Path(__file__).parents[2]


def row(ratio: float = 2.0, aim: Aim = Aim(ratio=2.5)) -> Row:  # noqa: B008 - frozen
    """A figure of that ratio."""
    return Row("P1", "sync", "by hand", Cost(ratio, ratio, 100.0), Cost(1.0, 1.0, 50.0), ((ratio,), (1.0,)), aim)


def result(kind: str, taken_at: str, *rows: Row) -> dict[str, Any]:
    """What a run leaves."""
    machine = {"cpu": "a processor", "cores": 2, "python": "3.11", "sqlite": "3.45"}
    return {
        "kind": kind,
        "taken_at": taken_at,
        "commit": "abc1234",
        "people": 20_000,
        "machine": machine,
        "rows": [as_json(one) for one in rows],
    }


@pytest.mark.parametrize(
    ("ratio", "aim", "told"),
    [
        (2.0, Aim(ratio=2.5), "| ≤ 2.5× | yes |"),
        (3.0, Aim(ratio=2.5), "| ≤ 2.5× | no |"),
        (2.0, Aim(ratio=2.5, peak_mib=99), "| ≤ 2.5×, ≤ 99 MiB | no |"),
        (9.0, Aim(), "|  |  |"),  # what has no aim is neither met nor missed
    ],
)
def test_the_table_says_what_was_aimed_at_and_whether_it_was_met(ratio: float, aim: Aim, told: str):
    """One line for each figure."""
    line = table([as_json(row(ratio, aim))]).splitlines()[-1]

    assert line.startswith(f"| P1 | sync | {ratio:.2f} |")
    assert line.endswith(told)


def test_the_newest_result_of_a_kind_is_the_last_one(tmp_path: Path):
    """Trials never take the place of whole runs."""
    for name, kind, day in (("b", "full", "2026-11-01"), ("a", "full", "2026-11-02"), ("c", "trial", "2026-11-03")):
        (tmp_path / f"{name}.json").write_text(json.dumps(result(kind, day)))

    found = latest("full", folder=tmp_path)

    assert found is not None
    assert found["taken_at"] == "2026-11-02"
    assert latest("quick", folder=tmp_path) is None


def test_the_readme_gets_the_figures_between_its_marks():
    """What stands around them stays; doing it twice changes nothing."""
    figures = result("full", "2026-11-02T10:00:00+00:00", row(2.0), row(3.0))

    once = with_figures("before\n<!-- figures -->\nold\n<!-- /figures -->\nafter\n", figures)

    assert once.startswith("before\n<!-- figures -->\n20,000 people")
    assert "1 of 2 aims are met" in once
    assert "old" not in once
    assert once.endswith("<!-- /figures -->\nafter\n")
    assert with_figures(once, figures) == once


def test_the_readme_shows_the_last_figures():
    """Whoever commits a result runs `make bench-table` before."""
    assert is_current(ROOT / "README.md")


def test_what_grew_or_was_not_measured_is_told():
    """Within the tolerance nothing is."""
    expected = {"P1 sync": 2.0, "P2 plan": 3.0, "P4 first": 9.0}

    faults = list(slower(expected, {"P1 sync": 2.5, "P2 plan": 4.0, "P9 more": 1.0}, tolerance=1.3))

    assert faults == ["P2 plan: 4.00×, expected 3.00×", "P4 first: was not measured"]
    assert ratios(result("quick", "2026-11-02", row(2.0))) == {"P1 sync": 2.0}


def test_expected_ratios_are_numbers_above_nothing():
    """Those that are committed can be compared with."""
    expected = json.loads(EXPECTED.read_text(encoding="utf-8")) if EXPECTED.exists() else {"none yet": 1.0}

    assert all(ratio > 0 for ratio in expected.values())


def test_fewer_items_are_scaled_to_as_many():
    """Seconds grow with the work; memory does not."""
    assert scaled(Cost(1.0, 0.5, 30.0), 50) == Cost(50.0, 25.0, 30.0)


def test_a_flame_graph_is_as_wide_as_the_time_taken():
    """Waiting is left out; paths of whoever's machine, and line numbers, too."""
    text = (
        "work (eadm_sync/a.py:1);load (/home/x/lib/python3.11/json.py:9) 3\n"
        "work (eadm_sync/a.py:2) 1\n"
        "work (eadm_sync/a.py:2);wait (threading.py:331) 90\n"
    )

    picture = drawing(gathered(text))

    assert "<title>work (eadm_sync/a.py): 100.0%</title>" in picture
    assert "<title>load (json.py): 75.0%</title>" in picture
    assert "wait" not in picture
