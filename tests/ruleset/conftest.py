"""A vocabulary like that of the example configuration, and rulesets written as text."""

from collections.abc import Callable
from pathlib import Path
from textwrap import dedent

import pytest

from eadm_sync.errors import ConfigError
from eadm_sync.ruleset import Ruleset, TargetWords, Vocabulary, load_ruleset


@pytest.fixture
def vocabulary() -> Vocabulary:
    """Targets `ad` (with typed attributes) and `google` (without containers and licences)."""
    ad = TargetWords(
        variables={"base_dn": "DC=x", "suffix": "x.no"},
        attributes={"name": "str", "title": "str", "hidden": "bool", "level": "int", "proxies": "list", "nid": "str"},
        group_attributes={"name": "str", "note": "str"},
        account_name="name",
        required=frozenset({"name"}),
        max_lengths={"title": 10},
    )
    google = TargetWords(variables={"domain": "g.no"}, has_containers=False, has_licences=False)
    return Vocabulary(
        targets={"ad": ad, "google": google},
        person_extra=frozenset({"cost"}),
        kinds=frozenset({"employee", "pupil", "teacher"}),
    )


@pytest.fixture
def load(tmp_path: Path, vocabulary: Vocabulary) -> Callable[..., Ruleset]:
    """Loads rulesets from texts, named a.yaml, b.yaml … in the order given; `tables` are further files."""

    def loaded(*texts: str, tables: dict[str, str] | None = None) -> Ruleset:
        for number, text in enumerate(texts):
            (tmp_path / f"{chr(ord('a') + number)}.yaml").write_text(dedent(text), encoding="utf-8")
        for name, content in (tables or {}).items():
            (tmp_path / name).write_text(content, encoding="utf-8")
        return load_ruleset([tmp_path], vocabulary)

    return loaded


@pytest.fixture
def refused(load: Callable[..., Ruleset], tmp_path: Path) -> Callable[..., list[str]]:
    """The problems of rulesets written as text, as an administrator sees them, without the folder."""

    def problems(*texts: str, tables: dict[str, str] | None = None) -> list[str]:
        with pytest.raises(ConfigError) as caught:
            load(*texts, tables=tables)
        return [str(problem).replace(f"{tmp_path}/", "") for problem in caught.value.problems]

    return problems
