from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eadm_sync.app.logs import OWN, configure, hide
from eadm_sync.config.settings import LoggingSettings
from eadm_sync.events import bound, get_logger
from eadm_sync.model import Sealed

NATIONAL_ID = "13097248022"


@pytest.fixture(autouse=True)
def _afterwards() -> Iterator[None]:
    """Leaves logging as a fresh process has it."""
    root = logging.getLogger()
    before = list(root.handlers)
    yield
    for handler in [one for one in root.handlers if one not in before]:
        root.removeHandler(handler)
        handler.close()
    for name in OWN:
        logging.getLogger(name).setLevel(logging.NOTSET)


def own() -> Any:
    """A logger as a module of ours has it."""
    return get_logger("eadm_sync.test")


def events(file: Path) -> list[dict[str, Any]]:
    """What stands in a log file of JSON lines."""
    return [json.loads(row) for row in file.read_text(encoding="utf-8").splitlines()]


def to_file(tmp_path: Path, level: Any = "debug") -> Path:
    """Sends JSON lines to a file in a folder that is made for it."""
    configure(LoggingSettings(level=level, format="json", file=Path("log/eadm.log")), tmp_path)
    return tmp_path / "log" / "eadm.log"


def test_what_is_bound_stands_in_every_event(tmp_path: Path):
    """Run, job, item and target are told of our events and of a library's alike."""
    file = to_file(tmp_path)
    with bound(run="r1", job="nightly", item=7, target="ad"):
        own().info("item.done", count=3)
        logging.getLogger("library.part").warning("missed by %s", "an hour")

    mine, theirs = events(file)
    told = {"run": "r1", "job": "nightly", "item": 7, "target": "ad"}
    assert mine.items() >= {**told, "event": "item.done", "count": 3, "level": "info"}.items()
    assert theirs.items() >= {**told, "event": "missed by an hour", "logger": "library.part"}.items()
    assert mine["timestamp"].endswith("Z")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (NATIONAL_ID, "***********"),
        (f"no such entry: nin={NATIONAL_ID}, tried twice", "no such entry: nin=***********, tried twice"),
        ("130972 48022", "***********"),
        # a run's id, a count of microseconds and a hash are none
        ("20261122T220342-1f0c7a92", "20261122T220342-1f0c7a92"),
        ("1795432117000000", "1795432117000000"),
        ("13097248022abcdef0", "13097248022abcdef0"),
        (b"payload", "<7 bytes>"),
        ({"old": [NATIONAL_ID], NATIONAL_ID: 1}, {"old": ["***********"], "***********": 1}),
        (Sealed(b"cipher", b"digest"), "***"),
        (ValueError(f"bad: {NATIONAL_ID}"), "bad: ***********"),
        (42, 42),
        (None, None),
    ],
)
def test_what_no_log_may_hold_is_hidden(value: object, shown: object):
    """National ids are masked wherever they stand; bytes are never written out."""
    assert hide(None, "info", {"value": value}) == {"value": shown}


def test_a_traceback_is_masked_too(tmp_path: Path):
    """A driver's exception that quotes what it was given tells nobody's national id."""
    file = to_file(tmp_path)
    try:
        raise ValueError(f"value {NATIONAL_ID} is too long")  # noqa: TRY301 - a traceback is what is tested
    except ValueError:
        own().exception("item.failed")

    (event,) = events(file)
    assert "value *********** is too long" in event["exception"]


@pytest.mark.skipif(os.name != "posix", reason="files have other rights there")
def test_a_log_file_is_not_everybodys(tmp_path: Path):
    """It tells who is employed, by their ids."""
    assert to_file(tmp_path).stat().st_mode & 0o777 == 0o640


def test_libraries_are_heard_from_warnings_on(tmp_path: Path):
    """At debug, SQLAlchemy would log the rows it reads."""
    file = to_file(tmp_path)
    for name in ("sqlalchemy.engine.Engine", "httpx"):
        assert not logging.getLogger(name).isEnabledFor(logging.INFO)
        logging.getLogger(name).warning("%s is slow", name)
    own().debug("mine")

    assert [event["event"] for event in events(file)] == ["sqlalchemy.engine.Engine is slow", "httpx is slow", "mine"]


@pytest.mark.parametrize(("level", "heard"), [("debug", 4), ("info", 3), ("warning", 2), ("error", 1)])
def test_nothing_below_the_level_is_logged(tmp_path: Path, level: str, heard: int):
    """The configured level is the least that is heard of ours."""
    file = to_file(tmp_path, level)
    for name in ("debug", "info", "warning", "error"):
        getattr(own(), name)("something")

    assert len(events(file)) == heard


def test_a_file_that_was_moved_away_is_made_anew(tmp_path: Path):
    """Logrotate needs to tell nobody."""
    file = to_file(tmp_path)
    own().info("before")
    file.rename(tmp_path / "old.log")
    own().info("after")

    assert [event["event"] for event in events(file)] == ["after"]
    assert [event["event"] for event in events(tmp_path / "old.log")] == ["before"]


@pytest.mark.parametrize(
    ("service", "heard"),
    [
        # a command says itself what it does
        (False, ["bad"]),
        # a daemon's standard error is its log
        (True, ["good", "bad"]),
    ],
)
def test_standard_error_is_a_log_for_daemons_only(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], service: bool, heard: list[str]
):
    """Without a file, a command adds warnings and worse, a daemon logs all."""
    configure(LoggingSettings(format="json"), tmp_path, service=service)
    own().info("good")
    own().warning("bad")

    assert [json.loads(row)["event"] for row in capsys.readouterr().err.splitlines()] == heard


def test_setting_up_again_replaces_what_was(tmp_path: Path):
    """A reload with another file logs each event once, into the new one."""
    old = to_file(tmp_path)
    configure(LoggingSettings(format="json", file=Path("new.log")), tmp_path)
    own().info("hello")

    assert old.read_text(encoding="utf-8") == ""
    assert len(events(tmp_path / "new.log")) == 1


def test_the_console_form_is_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    """One readable line, without colours where no terminal is."""
    configure(LoggingSettings(), tmp_path, service=True)
    own().info("run.ended", run="r1")

    (row,) = capsys.readouterr().err.splitlines()
    assert "run.ended" in row
    assert "run=r1" in row
    assert "\x1b" not in row


@pytest.mark.parametrize("format_", ["console", "json"])
def test_nothing_that_is_logged_can_forge_a_line(tmp_path: Path, format_: Any):
    """Nor colour it, clear the screen or turn the direction of writing round; whoever logs it."""
    forged = "x\r\n2026-11-23T00:00:00Z [info] forged\x1b[2J\u202e\x85"
    configure(LoggingSettings(level="debug", format=format_, file=Path("log/eadm.log")), tmp_path)

    own().info("target.failed", error=forged)
    logging.getLogger("library").warning(forged)

    text = (tmp_path / "log" / "eadm.log").read_bytes().decode()
    assert len(text.splitlines()) == 2
    assert not {"\r", "\x1b", "\u202e", "\x85"} & set(text)
