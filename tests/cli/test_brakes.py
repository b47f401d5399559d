"""brakes, release and approve, as they are typed."""

from pathlib import Path
from typing import Any

import pytest


@pytest.mark.usefixtures("settled")
def test_from_a_hold_to_its_release(shell: Any) -> None:
    """What a run held is shown with its limit, let go with a reason, listed, and taken back."""
    people = Path("data/people.csv")
    people.write_text(people.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
    assert shell("sync", "--yes").code == 3

    shown = shell("brakes", "-f", "json")
    unknown = shell("release", "hr.nothing", "--reason", "a test")
    let_go = shell("release", "hr.vanished", "--reason", "a test")
    listed = shell("brakes")
    revoked = shell("release", "hr.vanished", "--revoke", "--reason", "another test")

    assert shown.code == 3
    (use,) = [one for one in shown.json["limits"] if one["name"] == "hr.vanished"]
    assert (use["state"], use["count"]) == ("held", use["population"])
    assert (unknown.code, "hr.vanished" in unknown.err) == (1, True)
    assert (let_go.code, "nothing is written yet" in let_go.out) == (0, True)
    assert "valid" in listed.out
    assert (revoked.code, "nothing of it was written" in revoked.out) == (0, True)
    assert shell("brakes", "-f", "json").json["releases"][0]["standing"] == "revoked"


@pytest.mark.usefixtures("settled")
def test_a_plan_that_needs_no_approval(shell: Any) -> None:
    """It says so, and ends with 1."""
    shell("plan", "--out", "plan.jsonl")

    said = shell("approve", "plan.jsonl", "--reason", "a test")

    assert (said.code, "nothing in this plan is to be approved" in said.err) == (1, True)
