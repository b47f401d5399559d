"""What becomes of hand edits, as rulesets say it: checked when they are loaded, and seen when they are compared."""

from __future__ import annotations

from pathlib import Path

import pytest

from eadm_sync.errors import ConfigError
from eadm_sync.ruleset import Ruleset, TargetWords, Vocabulary, load_ruleset
from eadm_sync.ruleset.narrowing import edits_between
from eadm_sync.ruleset.rules import DriftSettings

VOCABULARY = Vocabulary(
    targets={
        "ad": TargetWords(
            attributes={"sam": "str", "mail": "str", "title": "str", "proxy": "list"}, account_name="sam"
        ),
        "entra": TargetWords(),
    }
)

RULES = """ruleset: r
identifiers:
  username:
    candidates: ["{{ person.given_name | slug }}{{ n }}"]
    unique_in: [ad.mail]
accounts:
  - rule: staff
    target: ad
    container: OU=Staff
    attributes: {sam: "{{ username }}", mail: "{{ username }}@x", title: "{{ affiliation.title }}"}
    drift: {%s}
groups:
  - rule: all
    target: ad
    name: all
    attributes: {info: x}
    drift: {%s}
"""


def loaded(folder: Path, account: str = "", group: str = "", more: str = "") -> Ruleset:
    """The rules with policies."""
    path = folder / "r.yaml"
    path.write_text(RULES % (account, group) + more, encoding="utf-8")
    return load_ruleset([path], VOCABULARY)


def test_what_is_not_said_is_overwritten(tmp_path: Path):
    """But for accounts that somebody disabled."""
    made = loaded(tmp_path)

    assert (made.accounts[0].policies, made.groups[0].policies) == ({}, {})
    assert made.drift_in("ad") == DriftSettings(disabled="report")


def test_a_rule_says_more_than_its_target(tmp_path: Path):
    """What a rule leaves out is as the target's section says; of a target without one, as by default."""
    made = loaded(
        tmp_path, "title: initial-only, mail: overwrite", more="drift: {ad: {attributes: report, members: report}}\n"
    )

    assert made.accounts[0].policies == {"sam": "report", "title": "initial-only", "members": "report"}
    assert made.groups[0].policies == {"name": "report", "info": "report", "members": "report"}


@pytest.mark.parametrize(
    ("account", "group", "more", "message"),
    [
        # What a rule does not set, it says nothing about; near names are suggested.
        ("titel: report", "", "", "r.yaml:11:13: the rule does not set 'titel' (did you mean 'title'?)"),
        ("members: report", "", "", "the rule does not set 'members'"),
        ("", "container: report", "", "the rule does not set 'container'"),
        # What the program has to know cannot be left to the target.
        ("sam: initial-only", "", "", "r.yaml:11:18: 'sam' cannot be initial-only: objects are called by it"),
        ("mail: initial-only", "", "", "'mail' cannot be initial-only: the identifier 'username' must be unique in it"),
        ("", "members: initial-only", "", "'members' cannot be initial-only: they come and go"),
        (
            "title: initial-only",
            "",
            "lifecycle: {aliases: {ad: [{attribute: proxy, of: title}]}}\n",
            "'title' cannot be initial-only: aliases need it",
        ),
        # Sections of targets.
        ("", "", "drift: {add: {attributes: report}}\n", "unknown target 'add'"),
        ("", "", "drift: {ad: {attributes: initial-only}}\n", "r.yaml:18:26: must be 'overwrite' or 'report'"),
        ("title: keep", "", "", "r.yaml:11:20: must be 'overwrite', 'report' or 'initial-only'"),
    ],
)
def test_what_cannot_be_is_told_with_its_place(tmp_path: Path, account: str, group: str, more: str, message: str):
    """When the file is loaded."""
    with pytest.raises(ConfigError) as raised:
        loaded(tmp_path, account, group, more)

    (problem,) = raised.value.problems
    told = f"{problem.file.rpartition('/')[2]}:{problem.line}:{problem.column}: {problem.message}"
    hint = f" ({problem.hint})" if problem.hint else ""
    assert message in told + hint


def test_two_files_say_nothing_of_one_target(tmp_path: Path):
    """Which of them would count?"""
    (tmp_path / "s.yaml").write_text("ruleset: s\ndrift: {ad: {attributes: report}}\n", encoding="utf-8")
    (tmp_path / "r.yaml").write_text("ruleset: r\ndrift: {ad: {container: report}}\n", encoding="utf-8")

    with pytest.raises(ConfigError) as raised:
        load_ruleset([tmp_path], VOCABULARY)

    assert "drift of 'ad' stands in two files" in str(raised.value)


@pytest.mark.parametrize(
    ("account", "group", "more", "edited"),
    [
        ("title: report", "", "", {"r/staff"}),
        ("", "members: report", "", {"r/all"}),
        ("", "", "drift: {ad: {disabled: overwrite}}\n", {"drift"}),
    ],
)
def test_an_edit_of_a_policy_alone_is_seen(tmp_path: Path, account: str, group: str, more: str, edited: set[str]):
    """As an edit of its rule, or of the target's section."""
    old = loaded(tmp_path)

    edits = edits_between(old, loaded(tmp_path, account, group, more))

    assert {(one.id, one.edit) for one in edits.edits} == {(name, "changed") for name in edited}
