"""A newcomer who does what a page says sees what it says: every edit is made and every command run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = Path(sys.executable).parent / "eadm-sync"
_BLOCK = re.compile(r"^```(console|diff)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_END = "=== the command has ended ==="


@dataclass(frozen=True)
class Command:
    """A command, and the lines that it is said to print, among others."""

    text: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Edit:
    """An edit of one file: `old` stands there once, and becomes `new`."""

    file: str
    old: str
    new: str


def steps(page: str, heading: str = "") -> Iterator[Command | Edit]:
    """What a page, or what stands below one of its headings, tells the reader to do, in order."""
    whole = (ROOT / page).read_text(encoding="utf-8")
    part = whole.partition(heading)[2].partition("\n## ")[0] if heading else whole
    for language, text in _BLOCK.findall(part):
        if language == "diff":
            yield edit(text)
        else:
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, *lines = part.splitlines()
                yield Command(command, tuple(map(plain, lines)))


def edit(text: str) -> Edit:
    """The edit that a diff without line numbers tells."""
    head, *lines = text.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    return Edit(head.removeprefix("--- ").strip(), old, new)


def plain(line: str) -> str:
    """A line without the blanks that only align it: tables look otherwise in a pipe."""
    return " ".join(line.split())


class Shell:
    """A shell that stays where it was led, like the reader's."""

    def __init__(self, folder: Path) -> None:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EADM_SYNC")}
        self._process = subprocess.Popen(
            ["/bin/sh"],
            cwd=folder,
            env={**kept, "PYTHONIOENCODING": "utf-8"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
        )

    def run(self, command: str) -> list[str]:
        """The lines that a command prints."""
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(f"{command}\necho '{_END}'\n")
        self._process.stdin.flush()
        lines = iter(self._process.stdout.readline, f"{_END}\n")
        return [plain(line) for line in lines]

    def shows(self, step: Command) -> None:
        """Runs a command and finds the lines that are shown, in their order, among those that it prints."""
        printed = self.run(f"{step.text} </dev/null")
        rest = iter(printed)
        for line in step.lines:
            assert any(line in other for other in rest), f"{step.text}\ndoes not print: {line}\nbut {printed}"

    def status(self, command: str) -> tuple[int, list[str]]:
        """The exit code of a command, and the lines that it prints."""
        *lines, code = self.run(f"{command} </dev/null\necho $?")
        return int(code), lines

    def close(self) -> None:
        """Ends the shell."""
        self._process.communicate()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project as it is after `make demo`."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("examples", "rulesets"):
        shutil.copytree(ROOT / name, folder / name)
    shutil.copy(ROOT / "config.example.yaml", folder)
    (folder / ".venv").mkdir()
    (folder / ".venv" / "bin").symlink_to(PROGRAM.parent)
    subprocess.run(
        ["/bin/sh", "examples/demo.sh"],
        cwd=folder,
        env={**os.environ, "EADM_SYNC": str(PROGRAM)},
        check=True,
        capture_output=True,
    )
    return folder


def test_the_tutorial_does_what_it_says(place: Path):
    """Every edit fits in one place only, and every command prints the lines that are shown, in their order."""
    shell = Shell(place)
    made = list(steps("docs/tutorial-rulesets.md"))
    try:
        for step in made:
            if isinstance(step, Edit):
                path = place / "demo" / step.file
                text = path.read_text(encoding="utf-8")
                assert text.count(step.old) == 1, f"{step.file} has this {text.count(step.old)} times:\n{step.old}"
                path.write_text(text.replace(step.old, step.new), encoding="utf-8")
                continue
            shell.shows(step)
    finally:
        shell.close()

    assert sum(isinstance(step, Edit) for step in made) >= 3
    assert sum(isinstance(step, Command) for step in made) >= 8


def test_a_service_desk_finds_out_why_as_the_page_says(place: Path):
    """Every question of docs/how-to-find-out-why.md is answered with the lines that are shown."""
    shell = Shell(place)
    made = list(steps("docs/how-to-find-out-why.md"))
    try:
        shell.run(f'PATH="{PROGRAM.parent}:$PATH"; cd "{place}/demo"')
        for step in made:
            assert isinstance(step, Command)
            shell.shows(step)
    finally:
        shell.close()

    assert len(made) == 4


def test_a_first_installation_goes_as_the_readme_says(tmp_path: Path):
    """From `init` to `sync` every command does its work; then there is nothing left to do."""
    shell = Shell(tmp_path)
    made = [step for step in steps("README.md", "## Begin an installation") if isinstance(step, Command)]
    codes = {}
    try:
        shell.run(f'PATH="{PROGRAM.parent}:$PATH"')
        for step in made:
            unattended = f"{step.text} --yes" if step.text.endswith(" sync") else step.text
            codes[step.text], _ = shell.status(unattended)
        again, _ = shell.status("eadm-sync plan")
    finally:
        shell.close()

    assert codes == {**dict.fromkeys(codes, 0), "eadm-sync plan": 2}
    assert len(codes) >= 5
    assert again == 0


def test_editors_find_the_schemas_that_starter_files_name(tmp_path: Path):
    """After the commands of docs/editor.md every schema that a starter file names is where it says."""
    shell = Shell(tmp_path)
    try:
        shell.run(f'PATH="{PROGRAM.parent}:$PATH"; eadm-sync init')
        for step in steps("docs/editor.md", "## Get the schemas"):
            assert isinstance(step, Command)
            assert shell.status(f"({step.text})") == (0, [])
    finally:
        shell.close()

    files = [tmp_path / "config.yaml", *(tmp_path / "rulesets").glob("*.yaml")]
    for file in files:
        named = re.match(r"# yaml-language-server: \$schema=(\S+)", file.read_text(encoding="utf-8"))
        assert named
        assert (file.parent / named[1]).stat().st_size
