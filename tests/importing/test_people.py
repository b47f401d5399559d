"""The short way of sound rows ends where the long way of all rows does."""

from __future__ import annotations

from datetime import date
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from eadm_sync.config.keys import Key
from eadm_sync.config.mapping import MapSettings
from eadm_sync.importing.children import ChildRow
from eadm_sync.importing.keys import KeyMask
from eadm_sync.importing.mapping import compile_mapping
from eadm_sync.importing.people import PersonMapper
from eadm_sync.state.crypto import Vault

COLUMNS = ("Nr", "Name", "Born", "Id", "Unit", "Share", "Main", "Kind")
MAP: dict[str, Any] = {
    "people": {
        "from": "rows",
        "key": "{{ row.Nr }}",
        "given_name": "{{ row.Name | upper }}",
        "family_name": "{{ row.Name }}",
        "birth_date": "{{ row.Born }}",
        "national_id": "{{ row.Id }}",
        "email": "{{ row.Nr }} {{ row.Unit }}",
        "mobile": "{{ row.Unit }}",
        "extra": {"note": "{{ row.Kind ~ row.Unit }}", "same": "text", "none": ""},
    },
    "affiliations": {
        "from": "rows",
        "person": "{{ row.Nr }}",
        "key": "{{ row.Unit }}",
        "kind": "{{ row.Kind }}",
        "unit": "{{ row.Unit }}",
        "title": "{{ row.Name }}",
        "fraction": "{{ row.Share }}",
        "start": "{{ row.Born }}",
        "primary": "{{ row.Main }}",
        "extra": {"note": "{{ row.Name }}"},
    },
    "class_memberships": [
        {
            "from": "rows",
            "person": "{{ row.Nr }}",
            "class_group": "{{ row.Share }}",
            "role": "{{ row.Kind }}",
            "unit": "{{ row.Unit }}",
            "end": "{{ row.Born }}",
        },
        {"from": "rows", "person": "{{ row.Nr }}", "class_group": "{{ row.Unit }}", "role": "pupil"},
    ],
}
TODAY = date(2026, 8, 17)
ENTRIES = compile_mapping(MapSettings.model_validate(MAP), ("%d.%m.%Y",), ("rows",), lambda _table: COLUMNS).entries
PERSON = next(entry for entry in ENTRIES if entry.role == "people")
CHILDREN = [entry for entry in ENTRIES if entry.role in {"affiliations", "class_memberships"}]
VAULT = Vault([Key("k1", bytes(range(32)))])

TEXTS = st.one_of(
    st.sampled_from(["", " Å ", "A\u030a", "12", "\u200f", "a\x07", "x" * 201, "10907249730", "109072 49730 x"]),
    st.text(max_size=8),
)
ROWS = st.tuples(
    st.sampled_from(["1", "2"]),  # Nr
    TEXTS,
    st.sampled_from(["", "02.01.1980", "31.12.9999", "01.01.2030", "2.1.80", "never"]),
    st.sampled_from(["", "10907249730", "10907249731", "109072 49730", "12"]),
    st.one_of(st.sampled_from(["10", "20", "30"]), TEXTS),
    st.sampled_from(["", "80", "0,5", "900", "half"]),
    st.sampled_from(["", "ja", "0", "maybe"]),
    st.sampled_from(["pupil", "teacher", "Pupil", ""]),
)
GOOD = st.tuples(
    st.just("1"),
    st.sampled_from(["Ås", "Bø", "Li"]),
    st.sampled_from(["", "02.01.1980", "31.12.9999"]),
    st.sampled_from(["", "10907249730"]),
    st.sampled_from(["10", "20", "30"]),
    st.sampled_from(["80", "0,5"]),
    st.sampled_from(["", "ja", "0"]),
    st.sampled_from(["pupil", "teacher"]),
)


@settings(deadline=None)
@given(st.one_of(ROWS, GOOD))
def test_a_row_whole_or_piece_by_piece(row: tuple[str, ...]):
    """All fields by one function are those field by field, wherever no field is at fault."""
    for entry in ENTRIES:
        values = entry.pick(row)

        fields, faults = entry.piecemeal(values)

        assert entry.convert(values) == (fields, faults)
        if not faults:
            assert entry.whole(values) == fields


@settings(max_examples=200, deadline=None)
@given(st.one_of(ROWS, GOOD), st.lists(st.tuples(st.integers(0, 2), st.one_of(ROWS, GOOD, GOOD, GOOD)), max_size=4))
def test_a_person_whole_or_piece_by_piece(row: tuple[str, ...], children: list[tuple[int, tuple[str, ...]]]):
    """The short way gives the person that the long way gives, and gives none exactly where that finds a fault."""
    mapper = PersonMapper("hr", VAULT, KeyMask(VAULT), TODAY)
    rows = [
        ChildRow(entry, (*entry.pick(each), "10") if entry.class_group else entry.pick(each), "rows.csv", line)
        for line, (number, each) in enumerate(children)
        for entry in [CHILDREN[number]]
    ]
    values = PERSON.pick(row)

    attempt = mapper.attempt(PERSON, values, rows)
    whole = mapper.whole("1", PERSON, values, [(each.entry, each.values) for each in rows])

    assert whole == (mapper.person("1", attempt, None) if attempt.sound else None)


def test_a_repeated_affiliation_that_is_bad_too():
    """A second row of an affiliation that lacks even its kind is a fault of that one affiliation, and no error."""
    (affiliation, *_) = CHILDREN
    first, second = (("1", "Ås", "", "", "10", "80", "", kind) for kind in ("pupil", "Not A Word"))
    rows = [ChildRow(affiliation, affiliation.pick(row), "rows.csv", line) for line, row in enumerate((first, second))]

    attempt = PersonMapper("hr", VAULT, KeyMask(VAULT), TODAY).attempt(PERSON, PERSON.pick(first), rows)

    assert [(row.line, fault.field) for row, fault in attempt.row_faults] == [(1, "kind"), (1, "key")]
    assert attempt.bad_affiliations == {"hr:10"}
