"""Takes one guard after another away, in a copy, and says which ones no test would miss: `make guards`."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .guards import GUARDS, Guard

ROOT = Path(__file__).parents[2]
_PARTS = ("eadm_sync", "connectors", "exportqueue", "tests", "rulesets", "examples", "docs")
_FILES = ("pyproject.toml", "config.example.yaml")
_FAILED = 1
"""What pytest ends with when a test failed; anything else proves nothing."""


def main(words: list[str]) -> int:
    """Takes away the guards whose names hold one of `words`, or all; returns 1 if no test misses one of them."""
    chosen = [guard for guard in GUARDS if not words or any(word in guard.name for word in words)]
    unmissed = [guard for guard in chosen if not _is_missed(guard)]
    print(f"{len(chosen)} guards taken away, {len(unmissed)} of them missed by no test")  # noqa: T201 - as above
    return int(bool(unmissed))


def _is_missed(guard: Guard) -> bool:
    """Whether one of the guard's tests fails without it; and none does with it."""
    with tempfile.TemporaryDirectory(prefix="guards-") as place:
        copy = Path(place)
        for part in _PARTS:
            shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__"))
        for name in _FILES:
            shutil.copy(ROOT / name, copy / name)
        sound, words = _outcome(copy, guard)
        path = copy / guard.file
        text = path.read_text(encoding="utf-8")
        if text.count(guard.code) != 1:
            print(f"{guard.name}: NOT THERE any more, put the list right")  # noqa: T201 - it is run by hand
            return False
        path.write_text(text.replace(guard.code, guard.without), encoding="utf-8")
        without, _ = _outcome(copy, guard)
    said = "noticed" if (sound, without) == (0, _FAILED) else f"NOT NOTICED (pytest ended with {sound}, then {without})"
    print(f"{guard.name}: {said}", flush=True)  # noqa: T201 - as above
    if sound:
        print(words, flush=True)  # noqa: T201 - as above
    return (sound, without) == (0, _FAILED)


def _outcome(copy: Path, guard: Guard) -> tuple[int, str]:
    """How pytest ends on the guard's tests in the copy, and what it says."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *guard.test.split()]
    environment = {**os.environ, "PYTHONPATH": str(copy), "PYTHONDONTWRITEBYTECODE": "1"}
    ended = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
