from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from eadm_sync.delivery.running import TAIL_BYTES, Ended, run_program

pytestmark = pytest.mark.skipif(os.name != "posix", reason="the programs of these tests are shell scripts")


def run(folder: Path, script: str, *arguments: str, **options: Any) -> Ended:
    """Runs a shell script as an administrator would write it."""
    settings: dict[str, Any] = {
        "folder": folder,
        "environment": {"PATH": os.environ["PATH"]},
        "limit_seconds": 30.0,
        "must_end": lambda: False,
    } | options
    return run_program(["/bin/sh", "-c", script, "script", *arguments], **settings)


def ends(pid: int) -> bool:
    """Whether a process that was told to end is gone within half a minute."""
    deadline = time.monotonic() + 30
    while is_running(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not is_running(pid)


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_for(path: Path) -> str:
    """What a script writes into a file, as soon as it is there."""
    while not (path.exists() and path.read_text(encoding="ascii").strip()):
        time.sleep(0.01)
    return path.read_text(encoding="ascii").strip()


def test_program_that_ends_tells_code_and_output(tmp_path: Path):
    """Both streams are kept in the order in which they came."""
    ended = run(tmp_path, "echo one; echo two >&2; exit 3")

    assert ended == Ended(3, None, cut_off=False, output="one\ntwo\n")


def test_arguments_are_words_and_no_shell(tmp_path: Path):
    """Whatever a value holds, it is one argument."""
    ended = run(tmp_path, 'printf "%s|" "$@"', "a b", "$(id)", "; rm -rf /", "'\"")

    assert ended.output == "a b|$(id)|; rm -rf /|'\"|"


def test_environment_is_what_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Nothing of the daemon's own environment is handed on, where its database's password may stand."""
    monkeypatch.setenv("PGPASSWORD", "secret")

    ended = run(tmp_path, "env", environment={"ONE": "1"})

    assert "ONE=1" in ended.output
    assert "PGPASSWORD" not in ended.output


def test_program_that_takes_too_long_is_ended_with_its_children(tmp_path: Path):
    """Also with those that ignore a polite request."""
    script = "(trap '' TERM; sleep 60) & echo $! > child; sleep 60"

    ended = run(tmp_path, script, limit_seconds=2.0)

    assert (ended.code, ended.why, ended.cut_off) == (-15, "it took longer than 2 seconds", False)
    assert ends(int(wait_for(tmp_path / "child")))


def test_what_a_program_leaves_running_is_ended(tmp_path: Path):
    """A child in the background neither outlives the program nor keeps anybody waiting."""
    began = time.monotonic()

    ended = run(tmp_path, "sleep 60 & echo $! > child; echo done")

    assert (ended.code, ended.output) == (0, "done\n")
    assert time.monotonic() - began < 50
    assert ends(int(wait_for(tmp_path / "child")))


def test_huge_output_is_read_and_its_end_kept(tmp_path: Path):
    """A program that says too much does not fill memory, and does not hang for want of a reader."""
    script = "import sys\nfor n in range(2_000_000): sys.stdout.write('0123456789\\n')\nprint('the end')"

    ended = run_program(
        [sys.executable, "-c", script], folder=tmp_path, environment={}, limit_seconds=60, must_end=lambda: False
    )

    assert ended.code == 0
    assert ended.output.endswith("0123456789\nthe end\n")
    assert ended.output.startswith("0123456789\n")
    assert len(ended.output) <= TAIL_BYTES


def test_program_is_ended_when_its_caller_has_to(tmp_path: Path):
    """It is asked to end, so that it can clean up."""
    script = "trap 'echo cleaning; exit 9' TERM; echo $$ > began; while :; do sleep 0.05; done"

    ended = run(tmp_path, script, must_end=(tmp_path / "began").exists)

    assert (ended.cut_off, ended.why) == (True, "the program that runs it had to stop")
    assert not is_running(int(wait_for(tmp_path / "began")))


def test_program_that_is_not_there_cannot_be_started(tmp_path: Path):
    """Nor one that is no program."""
    (tmp_path / "text").write_text("hello", encoding="ascii")

    for name in ("nothing", "text"):
        with pytest.raises(OSError, match=r"No such file|Permission denied"):
            run_program(
                [str(tmp_path / name)], folder=tmp_path, environment={}, limit_seconds=1, must_end=lambda: False
            )
