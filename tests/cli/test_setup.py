"""Beginning and checking an installation from the shell."""

from __future__ import annotations

import hashlib
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import jsonschema
import pytest

from eadm_sync.config.schema import config_schema
from eadm_sync.config.yaml import load_yaml_file
from eadm_sync.ruleset import ruleset_schema
from eadm_sync.state.database import REVISION

if TYPE_CHECKING:
    from .conftest import Shell


def fingerprint(folder: Path) -> dict[str, str]:
    """Every file with a hash of its content."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def edit(path: Path, old: str, new: str) -> None:
    """Replaces a text that must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_init_and_check_find_everything_right(shell: Shell, tmp_path: Path) -> None:
    """What `init` writes runs as it stands, and `check` says so of every part."""
    made = shell("init", tmp_path / "town")
    checked = shell("check", "--config", tmp_path / "town" / "config.yaml")

    assert (made.code, checked.code) == (0, 0)
    parts = [row[1] for row in checked.rows[:-1]]
    assert parts == ["configuration", "rulesets", "key file", "state", "source", "target"]
    assert {row[0] for row in checked.rows[:-1]} == {"ok"}


def test_init_writes_the_schemas_that_its_files_point_at(shell: Shell, tmp_path: Path) -> None:
    """The first line of each YAML file names a schema that is there and that accepts the file."""
    shell("init", tmp_path)

    for name in ("config.yaml", "rulesets/employees.yaml"):
        file = tmp_path / name
        first = file.read_text(encoding="utf-8").splitlines()[0]
        schema = load_yaml_file((file.parent / first.partition("$schema=")[2]).resolve()).data
        jsonschema.validate(load_yaml_file(file).data, schema)


def test_init_overwrites_nothing(shell: Shell, tmp_path: Path) -> None:
    """One file that is there stops all of it."""
    (tmp_path / "config.yaml").write_text("mine", encoding="utf-8")

    ended = shell("init", tmp_path)

    assert ended.code == 1
    assert "already there" in ended.err
    assert list(fingerprint(tmp_path)) == ["config.yaml"]


def test_key_makes_a_file_for_its_owner_only_and_never_overwrites(shell: Shell, tmp_path: Path) -> None:
    """A second call leaves the first key as it is."""
    file = tmp_path / "var" / "new.key"

    assert shell("key", "new", file).code == 0
    before = file.read_bytes()
    again = shell("key", "new", file)

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (again.code, file.read_bytes()) == (1, before)
    assert "never overwritten" in again.err


def test_key_without_a_name_makes_the_configured_one(shell: Shell, fresh: Path) -> None:
    """The configuration says where."""
    (fresh / "var" / "eadm-sync.key").unlink()

    assert shell("key", "new").code == 0
    assert (fresh / "var" / "eadm-sync.key").exists()


def test_schemas_are_those_of_the_code(shell: Shell) -> None:
    """What is printed is JSON, and what the loaders check by."""
    assert shell("schema", "config").json == config_schema()
    assert shell("schema", "ruleset").json == ruleset_schema()
    assert shell("schema", "people").code == 2


def test_samples_of_one_seed_are_equal(shell: Shell, tmp_path: Path) -> None:
    """The same seed gives the same bytes, another one others; nothing is overwritten."""
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        assert shell("sample", tmp_path / name, "--people", 20, "--seed", seed, "--days", 1).code == 0

    assert fingerprint(tmp_path / "a") == fingerprint(tmp_path / "b")
    assert fingerprint(tmp_path / "a") != fingerprint(tmp_path / "c")
    assert shell("sample", tmp_path / "a", "--people", 20, "--days", 1).code == 1


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--people", 0),  # nobody
        ("--people", 10**9),  # beyond what national ids there are
        ("--days", -1),  # before the first
    ],
)
def test_impossible_samples_are_wrong_command_lines(shell: Shell, tmp_path: Path, option: str, value: int) -> None:
    """They end as Typer ends a wrong option, with nothing written."""
    words = {"--people": 10, option: value}
    ended = shell("sample", tmp_path / "town", *(word for pair in words.items() for word in pair))

    assert ended.code == 2
    assert not (tmp_path / "town").exists()


def test_migrate_makes_the_state(shell: Shell, fresh: Path) -> None:
    """A second call has nothing to do."""
    assert shell("migrate").code == 0
    assert (fresh / "var" / "eadm-sync.db").exists()
    assert shell("migrate").out == f"the state database is of version {REVISION}\n"


# ---------------------------------------------------------------- check


def test_check_tells_the_problems_of_all_files_at_once(shell: Shell, fresh: Path) -> None:
    """A ruleset, two columns of a mapping and the key file: each at its place, with the fault underlined."""
    edit(
        fresh / "rulesets" / "employees.yaml",
        "affiliation.kind == 'employee'\n    container",
        "affiliation.kin\n    container",
    )
    edit(fresh / "config.yaml", "row.GivenName", "row.GivnName")
    edit(fresh / "config.yaml", "row.Manager", "row.Boss")
    (fresh / "var" / "eadm-sync.key").chmod(0o644)

    ended = shell("check")

    assert ended.code == 1
    assert "config.yaml:41:29: sources.hr.map.people[0].given_name: unknown field 'row.GivnName'" in ended.err
    assert "config.yaml:60:26: sources.hr.map.units[0].manager: unknown field 'row.Boss'" in ended.err
    assert "rulesets/employees.yaml:" in ended.err
    assert "\n    " + " " * 28 + "^" * len("GivnName") in ended.err
    assert [row[1] for row in ended.rows if row[0] == "failed"] == ["rulesets", "key file", "source"]


def test_check_looks_at_rulesets_even_if_the_configuration_is_wrong(shell: Shell, fresh: Path) -> None:
    """What is wrong with them whatever the configuration says is told with the rest."""
    edit(fresh / "config.yaml", "sources:", "source:")
    edit(fresh / "rulesets" / "employees.yaml", "accounts:", "acounts:")

    ended = shell("check", "--format", "json")

    assert ended.code == 1
    found = {(problem["file"], problem["hint"]) for problem in ended.json["problems"]}
    assert ("config.yaml", "did you mean 'sources'?") in found
    assert ("rulesets/employees.yaml", "did you mean 'accounts'?") in found


def test_check_offline_opens_neither_sources_nor_targets(shell: Shell, fresh: Path) -> None:
    """A missing source file fails the full check only."""
    (fresh / "data" / "people.csv").unlink()

    full, offline = shell("check"), shell("check", "--offline")

    assert (full.code, offline.code) == (1, 0)
    assert [row[:3] for row in full.rows if row[0] == "failed"] == [["failed", "source", "hr"]]
    assert not any(row[1:2] in (["source"], ["target"]) for row in offline.rows)


def test_check_changes_nothing(shell: Shell, fresh: Path) -> None:
    """Not even the state database or the target's file are made."""
    before = fingerprint(fresh)
    shell("check")
    assert fingerprint(fresh) == before


def test_a_missing_configuration_says_what_helps(shell: Shell, tmp_path: Path) -> None:
    """Every command tells of `init` and `--config`."""
    for words in (("check",), ("people", "list"), ("status",), ("migrate",)):
        ended = shell(*words, "--config", tmp_path / "none.yaml")
        assert ended.code == 1
        assert "eadm-sync init" in ended.err
        assert ended.out == ""
