"""The example programs are safe to repeat, and look at what they are told."""

from __future__ import annotations

import getpass
import os
import shutil
import subprocess
from pathlib import Path

import pytest

MAKE_HOME = Path(__file__).parents[2] / "docs" / "examples" / "scripts" / "make-home"

pytestmark = pytest.mark.skipif(not shutil.which("flock"), reason="the example needs flock (util-linux)")


def make_home(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs the example as the deliverer does."""
    environment = {"PATH": os.environ["PATH"], "HOMES": str(folder)}
    return subprocess.run([MAKE_HOME, *arguments], env=environment, capture_output=True, text=True, check=False)


def test_home_is_made_once_and_again(tmp_path: Path):
    """Its rights are put right, its content stays."""
    user = getpass.getuser()
    assert make_home(tmp_path, user, "11").returncode == 0
    home = tmp_path / user
    (home / "letter").write_text("dear", encoding="utf-8")
    home.chmod(0o755)

    again = make_home(tmp_path, user, "11")

    assert (again.returncode, again.stdout) == (0, f"{home} is there\n")
    assert (home / "letter").exists()
    assert home.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize(
    ("user", "code"),
    [
        ("../etc", 64),
        ("", 64),
        (".ssh", 64),
        ("nobody-of-that-name", 75),  # not known yet: it is tried again
    ],
)
def test_what_is_no_username_is_refused(tmp_path: Path, user: str, code: int):
    """Nothing is made."""
    assert make_home(tmp_path, user, "11").returncode == code
    assert list(tmp_path.iterdir()) == []
