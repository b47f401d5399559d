from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest

from eadm_sync.importing import Imported

BORN = date(1980, 1, 2)
SCHOOL_MAP = {
    "people": {
        "from": "users",
        "key": "{{ row.Uid }}",
        "given_name": "{{ row.First }}",
        "family_name": "{{ row.Last }}",
        "birth_date": "{{ row.Born }}",
        "national_id": "{{ row.Id }}",
        "employee_number": "{{ row.Staff }}",
    },
    "affiliations": {
        "from": "roles",
        "person": "{{ row.Uid }}",
        "key": "{{ row.Uid }}-{{ row.Org }}",
        "kind": "{{ row.Role }}",
        "unit": "{{ row.Org }}",
    },
    "class_groups": {"from": "classes", "code": "{{ row.Code }}", "name": "{{ row.Name }}", "unit": "{{ row.Org }}"},
    "class_memberships": {
        "from": "enrolments",
        "person": "{{ row.Uid }}",
        "class_group": "{{ row.Code }}",
        "role": "{{ row.Role }}",
        "unit": "{{ row.Org }}",
    },
}


@pytest.fixture
def two(installation: Any, settings: Any, hr_map: Any, memory_source: Any) -> Any:
    """An installation with the sources hr and school, linked by national id, then employee number."""
    installation.settings = settings({"hr": hr_map, "school": SCHOOL_MAP}, links=("national_id", "employee_number"))

    def school(*users: tuple[str, ...], enrolments: Any = (), classes: Any = (("5A", "5A", "20"),)) -> Any:
        return memory_source(
            users=("Uid First Last Born Id Staff", list(users)),
            roles=("Uid Org Role", [(user[0], "20", "teacher") for user in users]),
            classes=("Code Name Org", list(classes)),
            enrolments=("Uid Code Role Org", list(enrolments)),
        )

    installation.school = school
    return installation


def contradictions(imported: Imported) -> list[tuple[str, str | None, str | None]]:
    """What could not be agreed on."""
    return [(row.source, row.key, row.field) for row in imported.quarantined if row.kind == "contradiction"]


@pytest.mark.parametrize("together", [True, False])
def test_one_person_in_two_sources(two: Any, hr: Any, national_id: Any, together: bool):
    """Records with the same national id are one person, named after the upper source, however they arrive."""
    number = national_id(BORN)
    in_hr = hr([("1", "Åse", "Ås", "", number)])
    in_school = two.school(("u9", "Aase", "Aas", "1980-01-02", number))

    if together:
        two.sync(hr=in_hr, school=in_school)
    else:
        two.sync(hr=in_hr)
        two.sync(hr=in_hr, school=in_school)

    (person,) = two.people().values()
    assert (person.id, person.given_name, person.birth_date) == ("hr:1", "Åse", BORN)
    assert [each.id for each in person.affiliations] == ["hr:1-1", "school:u9-20"]


def test_ids_never_change(two: Any, hr: Any, national_id: Any):
    """A person who came with the lower source keeps that id when the upper source brings them too."""
    number = national_id(BORN)
    two.sync(hr=hr([]), school=two.school(("u9", "Aase", "Aas", "", number)))
    two.sync(hr=hr([("1", "Åse", "Ås", "", number)]), school=two.school(("u9", "Aase", "Aas", "", number)))

    (person,) = two.people().values()
    assert (person.id, person.given_name) == ("school:u9", "Åse")


def test_names_never_link(two: Any, hr: Any):
    """Equal names and dates of birth make nobody one person."""
    two.sync(hr=hr([("1", "Ola", "Dal", "1980-01-02")]), school=two.school(("1", "Ola", "Dal", "1980-01-02")))

    assert sorted(two.people()) == ["hr:1", "school:1"]


def test_two_employee_numbers(two: Any, hr: Any, national_id: Any):
    """One human being with two employee numbers is one person with both positions, named by the lower number."""
    number = national_id(BORN)
    imported = two.sync(hr=hr([("2", "B", "Ås", "", number), ("1", "A", "Ås", "", number)]))

    (person,) = two.people().values()
    assert (person.id, person.given_name, len(person.affiliations)) == ("hr:1", "A", 2)
    assert contradictions(imported) == []


def test_d_number_becomes_national_id(two: Any, hr: Any, national_id: Any):
    """A D-number that becomes a national id changes nothing but itself, also where it was the key."""
    former = ("7", "Ewa", "Nowak", "1980-01-02", national_id(BORN, d_number=True))
    now = ("7", "Ewa", "Nowak", "1980-01-02", national_id(BORN))
    two.sync(hr=hr([former]))
    imported = two.sync(hr=hr([now]))

    assert (list(imported.changed), contradictions(imported)) == (["hr:7"], [])
    assert list(two.people()) == ["hr:7"]


def test_changed_key_keeps_the_person(two: Any, hr: Any, national_id: Any):
    """An old key that vanishes while a new one brings the same national id is a move, not a leaver and a joiner."""
    number = national_id(BORN)
    two.sync(hr=hr([("1", "Åse", "Ås", "", number)]))
    two.today += timedelta(days=1)

    imported = two.sync(hr=hr([("501", "Åse", "Ås", "", number)]))

    (person,) = two.people().values()
    (only,) = imported.reports
    assert (person.id, only.hold, only.vanished, list(imported.changed)) == ("hr:1", None, 0, ["hr:1"])
    assert [(each.id, each.end) for each in person.affiliations] == [("hr:1-1", date(2026, 8, 17)), ("hr:501-1", None)]
    assert person.employee_number == "501"


def test_changed_keys_without_contracts_are_held(two: Any, hr: Any, national_id: Any):
    """People with new keys whose contracts still bear the old ones count as missing: they would lose everything."""
    numbers = [national_id(BORN, serial) for serial in (100, 200, 300, 400, 500)]
    two.sync(hr=hr([(str(place), "A", "Ås", "", number) for place, number in enumerate(numbers)]))
    before = {person_id: person.affiliations for person_id, person in two.people().items()}
    two.today += timedelta(days=1)

    moved = hr([(f"9{place}", "A", "Ås", "", number) for place, number in enumerate(numbers)], [("1", "1", "10")])
    imported = two.sync(hr=moved)

    assert (imported.reports[0].hold.brake, imported.reports[0].vanished) == ("hr.vanished", 5)
    assert {person_id: person.affiliations for person_id, person in two.people().items()} == before


@pytest.mark.parametrize(
    ("born", "number", "joins"),
    [
        ("1980-01-02", "", True),  # the same date of birth
        ("", "", True),  # nothing speaks against it
        ("1980-01-03", "", False),  # the number was given to somebody else
        ("1980-01-02", "other", True),  # D-number in one source, national id in the other
        ("", "other", False),  # two national ids, and nothing else to go by
    ],
)
def test_weaker_links_are_believed_only_if_nothing_speaks_against_them(
    two: Any, hr: Any, national_id: Any, born: str, number: str, joins: bool
):
    """An employee number makes two records one person unless date of birth or national id say otherwise."""
    other = national_id(BORN, 950) if number else ""
    in_hr = hr([("1", "Åse", "Ås", "1980-01-02" if born or not number else "", national_id(BORN, 100))])

    imported = two.sync(hr=in_hr, school=two.school(("u9", "Åse", "Ås", born, other, "1")))

    assert (len(two.people()) == 1) is joins
    assert contradictions(imported) == ([] if joins else [("school", "u9", "employee_number")])


def test_links_to_two_people(two: Any, hr: Any, national_id: Any):
    """A record whose links lead to two people becomes a person of its own, and that is listed until it is solved."""
    people = [("1", "A", "Ås", "", national_id(BORN, 100)), ("2", "B", "Ås", "", national_id(BORN, 300))]
    crossed = two.school(("u9", "A", "Ås", "", national_id(BORN, 100), "2"))

    first = two.sync(hr=hr(people), school=crossed)
    second = two.sync(hr=hr(people), school=crossed)
    third = two.sync(hr=hr(people), school=two.school(("u9", "A", "Ås", "", national_id(BORN, 100), "1")))

    assert sorted(two.people()) == ["hr:1", "hr:2", "school:u9"]
    assert contradictions(first) == [("school", "u9", "national_id")]
    assert contradictions(second) != []
    assert {row[1] for row in contradictions(third)} == {"u9"}  # two people who turn out to be one are not merged


def test_two_people_who_turn_out_to_be_one(two: Any, hr: Any, national_id: Any):
    """A link that appears later between two known people is listed, on every run, and merges nothing."""
    number = national_id(BORN)
    in_hr = hr([("1", "A", "Ås", "", number)])
    two.sync(hr=in_hr, school=two.school(("u9", "A", "Ås", "", "")))

    first = two.sync(hr=in_hr, school=two.school(("u9", "A", "Ås", "", number)))
    second = two.sync(hr=in_hr, school=two.school(("u9", "A", "Ås", "", number)))
    solved = two.sync(hr=in_hr, school=two.school(("u9", "A", "Ås", "", "")))

    assert sorted(two.people()) == ["hr:1", "school:u9"]
    assert contradictions(first) == contradictions(second) == [("school", "u9", "national_id")]
    assert contradictions(solved) == []


def test_different_birth_dates_are_listed(two: Any, hr: Any, national_id: Any):
    """One human being with two dates of birth is listed, on every run; the upper source is believed meanwhile."""
    number = national_id(BORN)
    sources = {
        "hr": hr([("1", "A", "Ås", "1980-01-02", number)]),
        "school": two.school(("u9", "A", "Ås", "1981-01-02", number)),
    }

    first = two.sync(**sources)
    second = two.sync(**sources)

    assert contradictions(first) == contradictions(second) == [("hr", "1", "birth_date")]
    assert two.people()["hr:1"].birth_date == BORN


def test_somebody_elses_national_id_is_listed(two: Any, hr: Any, national_id: Any):
    """Two records with one national id and nothing of a name in common are listed, and counted, on every run."""
    number = national_id(BORN)
    two.sync(hr=hr([]), school=two.school(("u9", "Eva", "Ond", "", number)))
    sources = {"hr": hr([("1", "Ås", "Dal", "", number)]), "school": two.school(("u9", "Eva", "Ond", "", number))}

    first = two.sync(**sources)
    second = two.sync(**sources)

    assert contradictions(first) == contradictions(second) == [("hr", "1", "family_name")]
    assert [each.quarantined for each in first.reports] == [each.quarantined for each in second.reports] == [1, 0]


def test_manager_by_employee_number(two: Any, hr: Any, settings: Any, hr_map: Any):
    """A unit of one source may be managed by somebody whom only another source knows, by employee number."""
    school_map = {**SCHOOL_MAP, "units": {"from": "orgs", "code": "{{ row.Org }}", "manager": "{{ row.Boss }}"}}
    two.settings = settings({"hr": hr_map, "school": school_map}, links=("employee_number",))
    school = two.school()
    school._tables["orgs"] = ("Org Boss", [("20", "1")])

    first = two.sync(hr=hr([("1", "A", "Ås")]), school=school)
    second = two.plan(hr=hr([("1", "A", "Ås")]), school=school)

    assert first.units["20"].manager == second.units["20"].manager == "hr:1"


def test_class_memberships(two: Any):
    """Class memberships belong to the affiliation at their unit, and a bad one takes no good one away."""
    user = ("u1", "Kari", "Dal")
    two.sync(school=two.school(user, enrolments=[("u1", "5A", "teacher", "20"), ("u1", "5B", "teacher", "20")]))
    before = two.people()

    imported = two.sync(school=two.school(user, enrolments=[("u1", "5A", "teacher", "20"), ("u1", "5B", "boss", "20")]))

    (affiliation,) = before["school:u1"].affiliations
    assert [(each.code, each.role) for each in affiliation.classes] == [("5A", "teacher"), ("5B", "teacher")]
    assert [row.field for row in imported.quarantined] == ["role"]
    assert two.people() == before


def test_class_membership_without_unit(two: Any, settings: Any):
    """Where a class membership names no unit, its class group's unit decides; a class that moves takes it along."""
    memberships = {name: text for name, text in SCHOOL_MAP["class_memberships"].items() if name != "unit"}
    two.settings = settings({"school": {**SCHOOL_MAP, "class_memberships": memberships}})

    def school(unit: str) -> Any:
        source = two.school(("u1", "Kari", "Dal"), classes=[("5A", "5A", unit)], enrolments=[("u1", "5A", "pupil", "")])
        source._tables["roles"] = ("Uid Org Role", [("u1", "20", "teacher"), ("u1", "30", "teacher")])
        return source

    for unit in ("20", "30"):
        two.sync(school=school(unit))
        classes = {each.unit: len(each.classes) for each in two.people()["school:u1"].affiliations}
        assert classes == {"20": 0, "30": 0, unit: 1}


def test_second_number_ends_while_the_first_has_left(two: Any, hr: Any, national_id: Any):
    """Of somebody with two numbers, one of them gone for long, the end of the other is an absence like any other."""
    first, second = (("1", "A", "Ås", "", national_id(BORN)), ("2", "A", "Ås", "", national_id(BORN)))
    two.sync(hr=hr([first, second]))
    two.sync("hr.vanished", hr=hr([second]))

    imported = two.plan(hr=hr([]))

    assert (imported.reports[0].vanished, list(imported.changed)) == (1, [])


def test_vanished_class_groups(two: Any):
    """A class group goes when it is gone and nobody attends it any more: a new school year brakes nothing."""
    user, classes = ("u1", "Kari", "Dal"), [("5A", "5A", "20"), ("5B", "5B", "20")]
    two.sync(school=two.school(user, classes=classes, enrolments=[("u1", "5A", "pupil", "20")]))

    kept = two.sync(school=two.school(user, classes=[], enrolments=[("u1", "5A", "pupil", "20")]))
    gone = two.sync(school=two.school(user, classes=[("6A", "6A", "20")], enrolments=[("u1", "6A", "pupil", "20")]))

    assert set(kept.class_groups) == {"5A"}
    assert set(gone.class_groups) == {"6A"}
    assert gone.organisation_changed == {"5A", "6A"}


def fields_in_quarantine(imported: Imported) -> list[tuple[str, str | None, str | None]]:
    """What was left out."""
    return [(row.source, row.key, row.field) for row in imported.quarantined if row.kind == "record"]


@pytest.mark.parametrize("together", [True, False])
def test_a_national_id_joins_no_two_strangers(two: Any, hr: Any, national_id: Any, together: bool):
    """Where neither the name nor the date of birth fits, one of the two bears the other's number: it is left out."""
    number = national_id(BORN)
    in_hr = hr([("1", "Kari", "Ås", "1980-01-02", number)])
    in_school = two.school(("u9", "Omar", "Haddad", "1999-12-31", number))
    if not together:
        two.sync(hr=in_hr)

    for _ in range(2):  # the second import finds the same, and keeps it listed
        imported = two.sync(hr=in_hr, school=in_school)
        (person,) = two.people().values()
        assert (person.id, person.given_name, len(person.affiliations)) == ("hr:1", "Kari", 1)
        assert fields_in_quarantine(imported) == [("school", "u9", "national_id")]


@pytest.mark.parametrize(
    ("first", "last", "born"),
    [
        ("Omar", "Haddad", "1980-01-02"),  # another name by marriage and by choice
        ("Kari", "Dal", "1999-12-31"),  # a mistyped date of birth
        ("Omar", "Haddad", ""),  # a date that is not known speaks against nothing
    ],
)
def test_one_difference_keeps_nobody_apart(two: Any, hr: Any, national_id: Any, first: str, last: str, born: str):
    """A national id is believed unless name and date of birth both speak against it."""
    number = national_id(BORN)
    two.sync(hr=hr([("1", "Kari", "Ås", "1980-01-02", number)]), school=two.school(("u9", first, last, born, number)))

    assert list(two.people()) == ["hr:1"]


def reused(national_id: Any) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """By case: a key of one human being, and the same key of another."""
    one, other = national_id(BORN), national_id(date(1999, 12, 31))
    return {
        "numbers": (("1", "Kari", "Ås", "", one), ("1", "Omar", "Haddad", "", other)),
        "namesakes": (("1", "Kari", "Ås", "", one), ("1", "Kari", "Ås", "", other)),
        "twins": (("1", "Kari", "Ås", "", one), ("1", "Omar", "Haddad", "", national_id(BORN, 950))),
        "no numbers": (("1", "Kari", "Ås", "1980-01-02", ""), ("1", "Omar", "Haddad", "1999-12-31", "")),
        "one number": (("1", "Kari", "Ås", "1980-01-02", ""), ("1", "Omar", "Haddad", "", other)),
    }


@pytest.mark.parametrize("case", ["numbers", "namesakes", "twins", "no numbers", "one number"])
@pytest.mark.parametrize("gone_before", [True, False])
def test_a_key_that_is_used_again_takes_nothing_from_who_had_it(
    two: Any, hr: Any, national_id: Any, case: str, gone_before: bool
):
    """The former stays exactly as they were, present or absent; the other is left out until it has a key of its own."""
    former, other = reused(national_id)[case]
    rest = ("2", "Ola", "By", "", "")
    two.sync(hr=hr([former, rest]))
    if gone_before:
        two.today += timedelta(days=30)
        two.sync(hr=hr([rest]))
    before = two.people()["hr:1"]
    two.today += timedelta(days=30)

    for _ in range(2):
        imported = two.sync(hr=hr([other, rest]))
        assert two.people()["hr:1"] == before
        assert fields_in_quarantine(imported) == [("hr", "1", "key")]
        assert (imported.reports[0].vanished, imported.reports[0].changed) == (0, 0)

    imported = two.sync(hr=hr([("77", *other[1:]), rest]))
    assert (two.people()["hr:77"].given_name, two.people()["hr:1"].given_name) == (other[1], former[1])
    assert fields_in_quarantine(imported) == []


@pytest.mark.parametrize(
    ("former", "now"),
    [
        (("1", "Ewa", "Nowak", "", "d"), ("1", "Ewa", "Kowalska", "", "n")),  # a D-number, and a marriage
        (("1", "Ewa", "Nowak", "", ""), ("1", "Ewa", "Nowak", "", "n")),  # a number that was not known
        (("1", "Kari", "Li", "1980-01-02", ""), ("1", "Omar", "Haddad", "1980-01-02", "")),  # another name
        (("1", "Kari", "Li", "1980-01-02", ""), ("1", "Kari", "Li", "1999-12-31", "")),  # a date put right
        (("1", "Kari", "Li", "1980-01-02", "x"), ("1", "Kari", "Li", "1980-01-02", "n")),  # a number put right
    ],
)
def test_who_changes_a_little_is_the_same(
    two: Any, hr: Any, national_id: Any, former: tuple[str, ...], now: tuple[str, ...]
):
    """What happens to people, and to those who type, is no other human being."""
    numbers = {
        "d": national_id(BORN, d_number=True),
        "n": national_id(BORN),
        "x": national_id(date(1980, 2, 1)),
        "": "",
    }
    two.sync(hr=hr([(*former[:4], numbers[former[4]])]))
    imported = two.sync(hr=hr([(*now[:4], numbers[now[4]])]))

    assert fields_in_quarantine(imported) == []
    assert two.people()["hr:1"].family_name == now[2]


def test_whoever_has_looked_lets_a_key_through(two: Any, hr: Any, national_id: Any):
    """Somebody who took another name, and whose number was wrong all the time, is let through by name."""
    former, other = reused(national_id)["numbers"]
    two.sync(hr=hr([former]))
    imported = two.sync(hr=hr([other]), released="hr.reused")

    assert fields_in_quarantine(imported) == []
    assert two.people()["hr:1"].given_name == "Omar"


@pytest.fixture
def telling(two: Any, settings: Any, hr_map: Any) -> Any:
    """The installation, with an HR that says what a person's key and number were before; nothing else links."""
    people = {**hr_map["people"], "former_key": "{{ row.Was }}", "former_national_id": "{{ row.WasId }}"}
    two.settings = settings({"hr": {**hr_map, "people": people}, "school": SCHOOL_MAP}, links=("national_id",))
    return two


def told(memory_source: Any, *persons: tuple[str, ...]) -> Any:
    """Such an HR."""
    return memory_source(
        persons=("Nr First Last Born Id Was WasId", list(persons)),
        contracts=("Nr Seq Unit Title Share From To", [(row[0], "1", "10") for row in persons]),
        units=("Code Name Parent Boss", []),
    )


def test_the_source_tells_the_key_that_somebody_had(telling: Any, memory_source: Any):
    """A new employee number keeps the person, and with it the accounts; nobody counts as missing."""
    telling.sync(hr=told(memory_source, ("1", "Kari", "Ås"), ("2", "Ola", "By")))
    telling.today += timedelta(days=1)
    (report,) = telling.sync(hr=told(memory_source, ("501", "Kari", "Ås", "", "", "1"), ("2", "Ola", "By"))).reports

    assert sorted(telling.people()) == ["hr:1", "hr:2"]
    assert telling.people()["hr:1"].employee_number == "501"
    assert (report.vanished, report.hold) == (0, None)
    telling.today += timedelta(days=1)
    telling.sync(hr=told(memory_source, ("777", "Kari", "Ås", "", "", "501"), ("2", "Ola", "By")))
    assert telling.people()["hr:1"].employee_number == "777"


def test_the_source_tells_the_number_that_somebody_had(telling: Any, memory_source: Any, national_id: Any):
    """A D-number that became a national id, with a new key besides, is one human being by the source's own word."""
    former, number = national_id(BORN, d_number=True), national_id(BORN)
    telling.sync(hr=told(memory_source, ("1", "Ewa", "Nowak", "", former)))
    telling.today += timedelta(days=1)
    telling.sync(hr=told(memory_source, ("501", "Ewa", "Nowak", "", number, "", former)))

    assert list(telling.people()) == ["hr:1"]


def test_a_former_key_of_a_stranger_is_not_believed(telling: Any, memory_source: Any):
    """A slip in that column hands nobody another's accounts."""
    telling.sync(hr=told(memory_source, ("1", "Kari", "Ås", "1980-01-02"), ("2", "Ola", "By")))
    telling.today += timedelta(days=1)
    persons = (("1", "Kari", "Ås", "1980-01-02"), ("2", "Ola", "By"), ("9", "Omar", "Haddad", "1999-12-31", "", "1"))
    imported = telling.sync(hr=told(memory_source, *persons))

    assert sorted(telling.people()) == ["hr:1", "hr:2"]
    assert fields_in_quarantine(imported) == [("hr", "9", "former_key")]


def test_absence_from_one_source_ends_only_what_came_from_it(two: Any, hr: Any, national_id: Any):
    """A teacher who leaves the school's system keeps the position in HR, and the other way round."""
    number = national_id(BORN)
    in_hr = [("1", "Kari", "Ås", "", number), ("2", "Ola", "By")]
    in_school = [("u9", "Kari", "Ås", "", number), ("u8", "Per", "Li", "", "")]
    two.sync(hr=hr(in_hr), school=two.school(*in_school))
    two.today += timedelta(days=1)
    two.sync(hr=hr(in_hr), school=two.school(in_school[1]))

    ends = {each.source: each.end for each in two.people()["hr:1"].affiliations}
    assert ends == {"hr": None, "school": date(2026, 8, 17)}
