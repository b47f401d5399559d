"""Policies for first passwords, as rulesets say them."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.contract import PasswordRules
from eadm_sync.errors import ConfigError
from eadm_sync.passwords import Policy
from eadm_sync.ruleset import Ruleset, TargetWords, Vocabulary, load_ruleset

VOCABULARY = Vocabulary(
    targets={
        "ad": TargetWords(account_name="name", passwords=PasswordRules(min_length=8, min_classes=3)),
        "web": TargetWords(account_name="name"),
    }
)
ACCOUNTS = "accounts:\n  - {rule: a, target: ad, password: staff, attributes: {name: x}}\n"


def load(folder: Path, text: str) -> Ruleset:
    """The ruleset with that text behind its name, beside a list of three words."""
    (folder / "words.txt").write_text("# easy ones\nhest\nFjell\nkaffe\nhest\n\n", encoding="utf-8")
    (folder / "r.yaml").write_text(f"ruleset: r\n{text}", encoding="utf-8")
    return load_ruleset([folder / "r.yaml"], VOCABULARY)


def test_a_rule_names_the_policy_of_its_passwords(tmp_path: Path):
    """Characters by default: twelve, of three kinds, to be changed at once."""
    found = load(tmp_path, "passwords:\n  staff: {}\n  young: {words: words.txt, must_change: false}\n" + ACCOUNTS)
    assert found.passwords["staff"] == Policy("staff", 12, ("lower", "upper", "digits"))
    assert found.passwords["young"].words == ("hest", "fjell", "kaffe")
    assert found.passwords["young"].must_change is False
    assert found.password_policies() == {"r/a": "staff"}


def test_a_list_of_words_is_part_of_the_version(tmp_path: Path):
    """Another list makes other passwords, so it is another ruleset; its text is kept with the version."""
    text = "passwords:\n  staff: {words: words.txt}\n" + ACCOUNTS
    before = load(tmp_path, text)
    (tmp_path / "words.txt").write_text("katt\nhund\n", encoding="utf-8")
    after = load_ruleset([tmp_path / "r.yaml"], VOCABULARY)
    assert before.version != after.version
    assert [one.text for one in after.tables] == ["katt\nhund\n"]


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        (ACCOUNTS, "r.yaml:3:", "no password policy 'staff'"),
        ("passwords: {staf: {}}\n" + ACCOUNTS, "r.yaml:4:", "did you mean 'staf'"),
        ("passwords: {staff: {}}\n" + ACCOUNTS.replace("ad", "web"), "r.yaml:4:", "takes no passwords"),
        ("passwords: {staff: {}}\n" + ACCOUNTS.replace("name: x", "y: x"), "r.yaml:4:", "gives no password"),
        ("passwords: {staff: {length: 7}}\n" + ACCOUNTS, "r.yaml:4:", "fewer than 8 characters"),
        ("passwords: {staff: {classes: [lower]}}\n" + ACCOUNTS, "r.yaml:4:", "fewer than 3 of"),
        ("passwords: {staff: {length: 5}}\n", "r.yaml:2:", "greater than or equal to 6"),
        ("passwords: {staff: {digits: 4}}\n", "r.yaml:2:", "'digits' means nothing without 'words'"),
        ("passwords: {staff: {words: words.txt, length: 9}}\n", "r.yaml:2:", "means nothing beside 'words'"),
        ("passwords: {staff: {words: none.txt}}\n", "r.yaml:2:", "No such file"),
        ("passwords: {staff: {words: ../r.txt}}\n", "r.yaml:2:", "below its ruleset's folder"),
        ("passwords: {staff: {words: bad.txt}}\n", "bad.txt:2:1", "no word"),
        ("passwords: {staff: {words: empty.txt}}\n", "r.yaml:2:", "holds no word"),
        ("passwords: {staff: {words: latin.txt}}\n", "r.yaml:2:", "UTF-8"),
        ("passwords: {staff: {classes: [greek]}}\n", "r.yaml:2:", "symbols"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, text: str, place: str, message: str, monkeypatch: pytest.MonkeyPatch
):
    """As everything else in a ruleset."""
    (tmp_path / "bad.txt").write_text("hest\nto ord\n", encoding="utf-8")
    (tmp_path / "empty.txt").write_text("# nothing\n", encoding="utf-8")
    (tmp_path / "latin.txt").write_bytes("blåbær\n".encode("latin-1"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load(tmp_path, text)
    told = [str(problem) for problem in caught.value.problems]
    assert any(one.startswith(place) and message in one for one in told), told


def test_a_policy_stands_in_one_file(tmp_path: Path):
    """Two of one name could mean two things."""
    for name in ("a", "b"):
        (tmp_path / f"{name}.yaml").write_text(f"ruleset: {name}\npasswords: {{staff: {{}}}}\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="'staff' stands in two files"):
        load_ruleset([tmp_path], VOCABULARY)
