from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from eadm_sync.config.mapping import MapSettings
from eadm_sync.errors import ConfigError
from eadm_sync.expression import Origin
from eadm_sync.importing.mapping import CompiledMapping, compile_mapping

COLUMNS = {"rows": ("Nr", "Ansatt nr", "Name", "Born", "Share", "Unused"), "other": ("Nr", "Kind")}


def compiled(map_: dict[str, Any], dates: tuple[str, ...] = ("%d.%m.%Y",)) -> CompiledMapping:
    """A mapping, compiled against two tables."""
    settings = MapSettings.model_validate(map_)
    return compile_mapping(settings, dates, tuple(COLUMNS), COLUMNS.__getitem__)


PEOPLE = {
    "from": "rows",
    "key": "{{ row['Ansatt nr'] }}",
    "family_name": "{{ row.Name | upper }}",
    "birth_date": "{{ row.Born }}",
    "extra": {"cost_centre": "{{ row.Nr }}"},
}


def test_typed_fields():
    """A row becomes typed fields; only the columns that templates read are picked from it."""
    (entry,) = compiled({"people": PEOPLE}).entries
    values = entry.pick(("7", "007", "Ås", "02.01.1980", "80", "secret"))

    fields, faults = entry.convert(values)

    assert values == ("7", "007", "Ås", "02.01.1980")
    assert entry.owner(values) == "007"
    assert fields == {"family_name": "ÅS", "birth_date": date(1980, 1, 2), "extra": {"cost_centre": "7"}}
    assert faults == []


def test_faults_name_the_field_and_never_the_value():
    """Every field that cannot be read is a fault of its own, with a reason that does not hold the value."""
    (entry,) = compiled({"people": PEOPLE}).entries

    fields, faults = entry.convert(("\x07bell", "1", "x" * 300, "someday"))

    assert [fault.field for fault in faults] == ["family_name", "birth_date", "extra.cost_centre"]
    assert not any(value in fault.reason for fault in faults for value in ("someday", "bell", "xxx", "XXX"))
    assert fields == {"extra": {}}


def test_constants():
    """A template without expressions is read once; one that cannot be read is a fault of every row."""
    good, bad = compiled(
        {
            "affiliations": [
                {"from": "other", "person": "{{ row.Nr }}", "key": "1", "kind": "employee", "fraction": 1},
                {"from": "other", "person": "{{ row.Nr }}", "key": "1", "kind": "Not A Word"},
            ]
        }
    ).entries

    assert good.convert(("7",)) == ({"kind": "employee", "fraction": 1.0}, [])
    assert [fault.field for fault in bad.convert(("7",))[1]] == ["kind"]


def test_all_problems_at_once():
    """Unknown tables, unknown columns and broken expressions are told together, with what would be right."""
    wrong = {
        "people": {"from": "rows", "key": "{{ row.Nrr }}", "family_name": "{{ row.Nme }}", "where": "row.Nr = '1'"},
        "affiliations": {"from": "othr", "person": "x", "key": "x", "kind": "employee"},
    }

    with pytest.raises(ConfigError) as caught:
        compiled(wrong)

    told = "\n".join(map(str, caught.value.problems))
    assert len(caught.value.problems) >= 4
    assert all(word in told for word in ("Nrr", "Nme", "othr", "other", "people.0.key", "people.0.where"))


def test_problems_point_into_the_file():
    """Where the file is known, a problem has its line and column there."""
    settings = MapSettings.model_validate({"people": {"from": "rows", "key": "{{ row.Nrr }}"}})

    with pytest.raises(ConfigError) as caught:
        compile_mapping(
            settings,
            (),
            tuple(COLUMNS),
            COLUMNS.__getitem__,
            lambda path: Origin("config.yaml", locate=lambda offset: (10 + len(path), offset + 1)),
        )

    assert [(problem.file, problem.line) for problem in caught.value.problems] == [("config.yaml", 13)]


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({}, True),
        ({"family_name": "{{ row.Name }}"}, False),
        ({"where": "row.Nr != '1'"}, False),
    ],
)
def test_fingerprint(change: dict[str, str], same: bool):
    """The fingerprint changes when a row could be mapped otherwise, so that all records are read anew."""
    changed = compiled({"people": PEOPLE | change}).fingerprint

    assert (changed == compiled({"people": PEOPLE}).fingerprint) is same
    assert compiled({"people": PEOPLE}, ("%Y-%m-%d",)).fingerprint != compiled({"people": PEOPLE}).fingerprint
