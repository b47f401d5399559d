"""A directory that was filled by hand for years meets its rules for the first time, from the shell."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest
import yaml

from connectors.contract import Action, Kind, Operation, RemoteObject, Value
from connectors.embedded import open_target
from connectors.embedded.options import EmbeddedOptions
from eadm_sync.cli.failing import run
from eadm_sync.cli.program import program
from eadm_sync.config.keys import write_key_file

OPTIONS = {"path": "ad.db", "account_name": "sam", "unique": ["mail"], "protected_by": "adminCount"}
SETTINGS: dict[str, Any] = {
    "organisation": {"name": "Kommune"},
    "state": {"url": "sqlite:///state.db", "key_file": "key"},
    "rulesets": ["rules.yaml"],
    "sources": {
        "hr": {
            "type": "csv",
            "files": {"people": "people.csv"},
            "delimiter": ";",
            "map": {
                "people": {
                    "from": "people",
                    "key": "{{ row.number }}",
                    "given_name": "{{ row.given }}",
                    "family_name": "{{ row.family }}",
                    "email": "{{ row.mail }}",
                    "employee_number": "{{ row.number }}",
                },
                "affiliations": {
                    "from": "people",
                    "person": "{{ row.number }}",
                    "key": "{{ row.number }}",
                    "kind": "employee",
                },
            },
        }
    },
    "targets": {
        "ad": {
            "type": "embedded",
            **OPTIONS,
            "correlation": {
                "rules": [
                    {"match": "employeeID", "to": "{{ person.employee_number }}"},
                    {"match": "privateMail", "to": "{{ person.email }}", "propose": True},
                ],
                "containers": ["OU=People"],
            },
            "protected": {"accounts": ["svc-*"], "groups": ["Domain Admins"]},
        }
    },
}
RULES = """
    ruleset: kommune
    identifiers:
      username:
        candidates:
          - "{{ person.given_name | slug }}.{{ person.family_name | slug }}"
          - "{{ person.given_name | slug }}.{{ person.family_name | slug }}-{{ n }}"
        unique_in: [ad.sam, ad.mail]
    accounts:
      - rule: staff
        target: ad
        when: affiliation.kind == 'employee'
        container: OU=People
        attributes:
          sam: "{{ username }}"
          mail: "{{ username }}@kommune.example"
          displayName: "{{ person.given_name }} {{ person.family_name }}"
    groups:
      - rule: everybody
        target: ad
        name: everybody
        when: affiliation.kind == 'employee'
"""
MATCHED, TWICE, PROPOSED, ADMINS, JOINERS = (
    range(120),
    range(120, 130),
    range(130, 140),
    range(140, 145),
    range(145, 150),
)
"""Numbers of people by what stands in the directory of them: one account, two, one with their address only, one that
administers it, none."""


def _accounts() -> list[dict[str, Value]]:
    """Two hundred accounts as hands left them: forty-five of strangers, and service accounts with people's numbers."""
    found: list[dict[str, Value]] = [
        {"sam": f"Old{number}", "employeeID": str(number), "phone": str(number), "mail": f"old{number}@kommune.example"}
        for number in MATCHED
    ]
    found += [{"sam": f"{one}{number}", "employeeID": str(number)} for number in TWICE for one in ("a-", "b-")]
    found += [{"sam": f"maybe{number}", "privateMail": f"p{number}@home.example"} for number in PROPOSED]
    found += [{"sam": f"adm{number}", "employeeID": str(number), "adminCount": 1} for number in ADMINS]
    found += [{"sam": f"svc-{number}", "employeeID": str(number)} for number in range(10)]
    found += [{"sam": f"given{number}.family{number}", "displayName": "a namesake"} for number in JOINERS]
    return found + [{"sam": f"stranger{number}"} for number in range(200 - len(found))]


class Site:
    """The installation, as somebody at the shell has it."""

    def __init__(self, folder: Path, typed: Any) -> None:
        self.folder = folder
        self.typed = typed

    def there(self) -> dict[str, RemoteObject]:
        """The accounts by anchor."""
        with open_target(EmbeddedOptions(**OPTIONS), self.folder) as target:
            return {one.anchor: one for one in target.read(Kind.ACCOUNT) if isinstance(one, RemoteObject)}


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Site:
    """A hundred and fifty people, and two hundred accounts."""
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(SETTINGS), encoding="utf-8")
    (tmp_path / "rules.yaml").write_text(dedent(RULES), encoding="utf-8")
    rows = [f"{number};Given{number};Family{number};p{number}@home.example" for number in range(150)]
    (tmp_path / "people.csv").write_text("\n".join(["number;given;family;mail", *rows, ""]), encoding="utf-8")
    write_key_file(tmp_path / "key")
    with open_target(EmbeddedOptions(**OPTIONS), tmp_path) as target:
        operations = [
            Operation(
                f"hand-{number}",
                Kind.ACCOUNT,
                Action.CREATE,
                attributes=attributes,
                container="OU=Old,OU=People" if number % 50 else "OU=People",
                enabled=True,
            )
            for number, attributes in enumerate(_accounts())
        ]
        assert all(outcome.error is None for outcome in target.apply(operations))
    monkeypatch.chdir(tmp_path)

    def typed(*words: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["eadm-sync", *words])
        capsys.readouterr()
        code = run(program)
        said = capsys.readouterr()
        return code, said.out or said.err

    return Site(tmp_path, typed)


def test_first_contact_with_a_filled_directory(site: Site):
    """What is clear is adopted, what is not waits, and nobody else's account changes by a byte."""
    before = site.there()
    code, out = site.typed("correlate", "--format", "json")
    lines = json.loads(out)["lines"]
    states = {line["anchor"]: line["state"] for line in lines}
    assert code == 3
    assert Counter(states.values()) == {
        "adopt": len(MATCHED),
        "ambiguous": 2 * len(TWICE),
        "proposed": len(PROPOSED),
        "protected": len(ADMINS) + 10,
        "unmatched": 200 - 120 - 20 - 10 - 15,
    }
    one = next(line for line in lines if line["account"] == "Old1")
    assert (one["person"], one["rule"], one["actions"]) == ("hr:1", "employeeID", ["update"])
    assert one["changes"]["displayName"] == [None, "Given1 Family1"]
    assert site.there() == before

    code, out = site.typed("plan", "--format", "json")
    assert code == 3  # whoever has to wait is told of
    assert site.there() == before

    assert site.typed("sync", "--yes")[0] == 3
    after = site.there()
    adopted = {anchor for anchor, state in states.items() if state == "adopt"}
    for anchor in before.keys() - adopted:
        assert after[anchor] == before[anchor]
    for anchor in adopted:
        name = str(before[anchor].attributes["sam"])
        assert after[anchor].attributes["sam"] == name
        assert after[anchor].attributes["phone"] == before[anchor].attributes["phone"]
        assert str(after[anchor].attributes["mail"]).casefold() == f"{name}@kommune.example".casefold()
        assert after[anchor].container == "OU=People"
    made = {str(after[anchor].attributes["sam"]) for anchor in after.keys() - before.keys()}
    assert made == {f"given{number}.family{number}-2" for number in JOINERS}  # strangers have the names without number

    assert site.typed("sync", "--yes")[0] == 3
    assert site.there() == after
    code, out = site.typed("correlate", "--format", "json")
    assert Counter(line["state"] for line in json.loads(out)["lines"])["adopt"] == 0
    assert site.typed("audit", "verify")[0] == 0


def test_what_waited_is_settled_word_by_word(site: Site):
    """One of two is accepted, a proposal rejected; the next run makes it so, and one after that has nothing to do."""
    anchors = {str(one.attributes["sam"]): anchor for anchor, one in site.there().items()}
    site.typed("sync", "--yes")
    before = site.there()

    accepted = site.typed("correlate", "accept", "hr:120", anchors["a-120"], "--target", "ad", "--reason", "asked")
    site.typed("correlate", "reject", "hr:130", anchors["maybe130"], "--target", "ad", "--reason", "asked")
    refused = site.typed("correlate", "accept", "hr:140", anchors["adm140"], "--target", "ad", "--reason", "asked")
    site.typed("sync", "--yes")

    after = site.there()
    changed = {anchor for anchor in before if after[anchor] != before[anchor]}
    assert (accepted[0], refused[0]) == (0, 1)
    assert changed == {anchors["a-120"]}
    assert [after[anchor].attributes["sam"] for anchor in after.keys() - before.keys()] == ["given130.family130"]
    site.typed("sync", "--yes")
    assert site.there() == after
