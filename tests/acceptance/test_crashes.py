"""The main job as a real process that is killed at any moment: run again, it ends as if nothing had happened.

CRASH_KILLS=40 makes a long run of it (`make crash`).
"""

from __future__ import annotations

import os
import random
import re
import signal
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eadm_sync.app.delivering import deliver_all
from exportqueue import State

from .conftest import SMALL_TOWN, Processes, Town, make_town

KILLS = int(os.environ.get("CRASH_KILLS", "8"))
PORTIONS = 2
MORE_THAN_ATTEMPTS = 13  # exportqueue.RetryPolicy gives an item twelve

Undisturbed = tuple[dict[str, dict[str, Any]], float]
"""What the targets hold after a run that nothing disturbed, and its seconds."""


@pytest.fixture(scope="module")
def undisturbed(processes: Processes, tmp_path_factory: pytest.TempPathFactory) -> Undisturbed:
    """The measure of all others."""
    town = make_town(tmp_path_factory.mktemp("undisturbed"), SMALL_TOWN)
    status, seconds = processes.run(town)
    assert status == "done"
    town.assert_settled()
    return town.contents(), seconds


def _moments(seed: int, seconds: float) -> list[float]:
    """Moments spread over a run: one at random in each of its parts."""
    chance = random.Random(seed)
    return [(number + chance.random()) * seconds / KILLS for number in range(KILLS)]


def _assert_once(town: Town) -> None:
    """Each change is in the audit once: none lost, none told twice."""
    told = Counter((row.target, row.object, row.action) for row in town.told())
    assert set(told.values()) == {1}
    held = sum(len(kind) for content in town.contents().values() for kind in content.values())
    created = [one for one in told if one[2] != "send"]
    assert len(created) == held  # and nothing else was done, but for passwords that were sent to their owners


@pytest.mark.parametrize("portion", range(PORTIONS))
def test_a_killed_run_is_completed_by_the_next(
    portion: int, processes: Processes, undisturbed: Undisturbed, tmp_path: Path
):
    """Killed at moments from all of its course, each time on a new installation, and run again to the end."""
    contents, seconds = undisturbed
    killed = 0
    for number, moment in enumerate(_moments(1, seconds)[portion::PORTIONS]):
        town = make_town(tmp_path / str(number), SMALL_TOWN)

        killed += processes.run(town, moment)[0] == "killed"
        status, _ = processes.run(town)

        assert status == "done"
        assert town.contents() == contents
        town.assert_settled()
        _assert_once(town)
    while not killed:  # later moments may be behind the end of a run that was quicker
        moment /= 2
        killed = processes.run(make_town(tmp_path / f"{moment}", SMALL_TOWN), moment)[0] == "killed"


def test_an_installation_killed_many_times_in_a_row_is_completed(
    processes: Processes, undisturbed: Undisturbed, tmp_path: Path
):
    """Each start goes on where the last was killed, and no change runs out of attempts for it."""
    contents, seconds = undisturbed
    town = make_town(tmp_path / "town", SMALL_TOWN)
    chance = random.Random(2)

    shares = [0.1, *(chance.uniform(0.2, 1.0) for _ in range(KILLS - 1))]  # the first is sure to be in time
    ends = [processes.run(town, share * seconds)[0] for share in shares]
    status, _ = processes.run(town)

    assert "killed" in ends
    assert status == "done"
    assert town.contents() == contents
    town.assert_settled()
    _assert_once(town)


def test_a_run_killed_again_and_again_at_the_same_moment_is_completed(
    processes: Processes, undisturbed: Undisturbed, tmp_path: Path
):
    """What is being delivered when a process is killed is not blamed for it, however often it happens."""
    contents, seconds = undisturbed
    town = make_town(tmp_path / "town", SMALL_TOWN)
    town.sync(deliver=False)  # what is left to the processes begins within a fraction of a whole run
    town.configure(lambda settings: settings["targets"]["ad"].update(faults={"latency_ms": 60_000}))

    in_hand, patience = 0, 0.8 * seconds
    while in_hand < MORE_THAN_ATTEMPTS:
        assert processes.run(town, patience)[0] == "killed"
        if {item.target for item in town.items(State.RUNNING)} == {"ad"}:
            in_hand += 1
        else:  # it was not that far yet
            patience = min(1.2 * patience, 50)

    town.configure(lambda settings: settings["targets"]["ad"].pop("faults"))
    assert processes.run(town)[0] == "done"
    assert town.contents() == contents
    town.assert_settled()
    _assert_once(town)


def _use_files(town: Town) -> None:
    """Google Workspace is served by files, which are made when the target is closed, at the latest."""

    def change(settings: dict[str, Any]) -> None:
        google = settings["targets"]["google"]
        google.pop("passwords", None)
        google |= {"type": "file", "path": "var/files", "format": "jsonl", "render_delay_seconds": 3600}

    town.configure(change)
    for path in (town.folder / "rulesets").glob("*.yaml"):  # files take no passwords
        text = path.read_text(encoding="utf-8")
        path.write_text(re.sub(r"(target: google\n) *password: \w+\n", r"\1", text), encoding="utf-8")


def _files(town: Town) -> dict[str, list[str]]:
    """The lines of the files, without what differs from one installation to the next: anchors."""
    anchors = re.compile(r'"[0-9a-f]{8}-[0-9a-f-]{27}"')
    return {
        path.name: sorted(anchors.sub('"*"', line) for line in path.read_text(encoding="utf-8").splitlines())
        for path in (town.folder / "var" / "files").glob("*.jsonl")
    }


def test_files_that_a_killed_run_owed_are_made_by_the_next(processes: Processes, tmp_path: Path):
    """Even where nothing is queued any more: killed behind the last outcome, the files are not left as they were."""
    whole, town = make_town(tmp_path / "whole", SMALL_TOWN), make_town(tmp_path / "town", SMALL_TOWN)
    for each in (whole, town):
        _use_files(each)
    whole.sync()
    town.sync(deliver=False)
    _deliver_and_die(town)
    assert town.items() == []
    assert _files(town) == {}

    status, _ = processes.run(town)

    assert status == "done"
    assert _files(town) == _files(whole) != {}


def _deliver_and_die(town: Town) -> None:
    """Delivers everything, in a fork that ends between the last outcome and the target's closing."""
    process = os.fork()
    if not process:
        try:
            with pytest.MonkeyPatch.context() as patch, town.context.writing() as database:
                patch.setattr("connectors.file.target.FileTarget.close", lambda _: os.kill(os.getpid(), signal.SIGKILL))
                for name in ("ad", "entra", "google"):  # the last is the one that dies: it leaves the others no work
                    deliver_all(town.context, database, only=name)
        finally:
            os._exit(1)
    _, status = os.waitpid(process, 0)
    assert os.WTERMSIG(status) == signal.SIGKILL


def test_files_of_runs_killed_at_any_moment_are_whole_in_the_end(processes: Processes, tmp_path: Path):
    """A target that leaves files is killed like any other, and the files tell what it holds."""
    whole = make_town(tmp_path / "whole", SMALL_TOWN)
    _use_files(whole)
    _, seconds = processes.run(whole)
    chance = random.Random(4)
    for number in range(KILLS // 4):
        town = make_town(tmp_path / str(number), SMALL_TOWN)
        _use_files(town)

        processes.run(town, chance.uniform(0.6, 1) * seconds)
        status, _ = processes.run(town)

        assert status == "done"
        assert _files(town) == _files(whole) != {}
        town.assert_settled()


def test_a_change_on_the_second_day_survives_kills(processes: Processes, settled: Town, tmp_path: Path):
    """Updates, not only creations: killed five times on its second day, the example's town ends as the other one."""
    other = make_town(tmp_path / "other")
    other.sync()
    for town in (settled, other):
        town.next_day()
        town.end_positions(["001028", "001099"], town.clock.moment.date().replace(day=1))
    other.sync()
    chance = random.Random(3)

    for _ in range(5):
        processes.run(settled, chance.uniform(0.05, 0.6))
    status, _ = processes.run(settled)

    assert status == "done"
    assert settled.contents() == other.contents()
    settled.assert_settled()
    told = Counter(row.object + row.action for row in settled.told())
    assert told == Counter(row.object + row.action for row in other.told())
