"""Orders about single people in the shell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from eadm_sync.app import queueing
from eadm_sync.app.context import open_context
from eadm_sync.clock import SystemClock

from .conftest import Shell


def somebody(shell: Shell) -> str:
    """Id of the first person who has an account."""
    person: str = shell("accounts", "list", "--format", "json").json[0]["person"]
    return person


@pytest.mark.usefixtures("settled")
def test_a_person_is_stopped_shown_and_resumed(shell: Shell):
    """The answer says what became of the accounts, and who ordered it why."""
    who = somebody(shell)

    stopped = shell("person", "stop", who, "--reason", "lost laptop")
    shown = shell("person", "show", who, "--format", "json").json
    told = shell("explain", who).out
    resumed = shell("person", "resume", who, "--reason", "found again")

    assert (stopped.code, resumed.code) == (0, 0)
    assert "1 change put into the export queue" in stopped.out
    assert (shown["stage"], shown["accounts"]) == ("stopped", {"directory": False})
    assert "Stopped by" in told
    assert "lost laptop" in told
    assert "disabled" not in resumed.out
    assert shell("plan").code == 0


@pytest.mark.usefixtures("settled")
def test_stopped_people_are_listed(shell: Shell):
    """As any other stage."""
    who = somebody(shell)
    shell("person", "stop", who, "--reason", "lost laptop")

    found = shell("people", "list", "--stage", "stopped", "--format", "json").json

    assert [one["id"] for one in found] == [who]


def test_a_stop_that_has_not_reached_a_target_is_a_failure(
    settled: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch
):
    """Exit code 1, and which target it is."""
    monkeypatch.setattr("eadm_sync.app.persons.PATIENCE_SECONDS", 1.0)
    queueing.pause(open_context(settled / "config.yaml", SystemClock()), "directory", "maintenance")

    ended = shell("person", "stop", somebody(shell), "--reason", "lost laptop")

    assert ended.code == 1
    assert "directory has not been reached yet: it is paused (maintenance)" in ended.err


@pytest.mark.usefixtures("settled")
def test_an_extension_needs_a_day_that_is_not_over(shell: Shell):
    """A day in the past, or none, is a wrong command line; to take it back is said in so many words."""
    who, now = somebody(shell), datetime.now(UTC)
    past, future = ((now + timedelta(days=days)).date().isoformat() for days in (-2, 30))

    codes = [
        shell("person", "extend", who, "--reason", "exam", *more).code
        for more in (["--until", past], [], ["--until", "tomorrow"], ["--until", future], ["--remove"], ["--remove"])
    ]

    assert codes == [2, 2, 2, 0, 0, 0]
    assert shell("person", "show", who, "--format", "json").json["orders"] == []


@pytest.mark.usefixtures("settled")
@pytest.mark.parametrize("command", ["stop", "resume"])
def test_an_order_needs_a_person_and_a_reason(shell: Shell, command: str):
    """Whoever mistypes a name must not believe that it is done."""
    assert shell("person", command, "nobody", "--reason", "x").code == 1
    assert shell("person", command, somebody(shell)).code == 2


def test_an_order_with_a_hostile_reason_is_harmless(
    settled: Path, shell: Shell, hostile: str, dangerous: frozenset[str]
):
    """What is typed is printed again."""
    who = somebody(shell)
    shell("person", "stop", who, "--reason", hostile)

    for command in ("show", "resume"):
        out = shell("person", command, who, *(["--reason", hostile] if command == "resume" else [])).out
        assert not dangerous & set(out)
    assert (settled / "config.yaml").exists()
