"""What `deploy/` holds: hardened units that agree with one another and the program, an image without secrets."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from eadm_sync.cli.program import MODULES
from eadm_sync.config.settings import DaemonSettings, HttpSettings

DEPLOY = Path(__file__).parents[2] / "deploy"
UNITS = ["eadm-sync.service", "eadm-sync-worker@.service"]


def unit(name: str) -> dict[str, dict[str, list[str]]]:
    """A unit's settings; a key may stand several times."""
    found: dict[str, dict[str, list[str]]] = {}
    section = ""
    for line in (DEPLOY / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line.strip("[]")
        elif line and not line.startswith("#"):
            key, _, value = line.partition("=")
            found.setdefault(section, {}).setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_starts_a_command_that_there_is(name: str):
    """And with options that it has, in the environment that the how-to makes."""
    (start,) = unit(name)["Service"]["ExecStart"]
    path, command, *_ = start.split()

    assert path == "/opt/eadm-sync/bin/eadm-sync"
    assert command in MODULES


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_gives_more_time_than_the_daemon_takes(name: str):
    """The manager must not kill what is allowed to finish, nor take a wait for the database for a hang."""
    service = unit(name)["Service"]

    assert int(service["TimeoutStopSec"][0]) > DaemonSettings().stop_seconds + 10
    assert int(service["WatchdogSec"][0]) > 120  # two waits of a minute in one round of the main loop


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("NoNewPrivileges", "true"),
        ("ProtectSystem", "strict"),
        ("ProtectHome", "true"),
        ("PrivateTmp", "true"),
        ("CapabilityBoundingSet", ""),
        ("UMask", "0077"),
        ("User", "eadm-sync"),
    ],
)
def test_a_unit_is_hardened(name: str, key: str, value: str):
    """It may write its state and its logs, and nothing else."""
    assert unit(name)["Service"][key] == [value]


def test_the_worker_is_hardened_as_the_daemon_is():
    """What one gets and the other does not is in the first lines."""
    daemon, worker = (unit(name)["Service"] for name in UNITS)

    assert {key for key in daemon if daemon[key] != worker.get(key)} == {"ExecStart", "MemoryMax"}


def test_the_image_asks_where_the_daemon_answers():
    """The port of the health check is the default one, and the user is not root."""
    text = (DEPLOY / "Containerfile").read_text(encoding="utf-8")

    assert f"http://127.0.0.1:{HttpSettings().port}/healthz" in text
    assert re.search(r"^USER 10001:10001$", text, re.MULTILINE)
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE)
    assert {word for line in copied for word in line.split()} == {
        *("pyproject.toml", "README.md", "LICENSE"),
        *("eadm_sync", "connectors", "exportqueue"),
    }


def test_units_can_be_parsed_by_others():
    """No line is cut, no section misspelt."""
    for name in UNITS:
        parser = configparser.ConfigParser(strict=False, interpolation=None)
        parser.optionxform = str  # type: ignore[assignment,method-assign]
        parser.read_string((DEPLOY / name).read_text(encoding="utf-8"))
        assert parser.sections() == ["Unit", "Service", "Install"]
