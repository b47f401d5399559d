"""The names a pattern offers: order, numbers, lengths, forbidden words."""

from collections.abc import Callable
from itertools import islice

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eadm_sync.model import Affiliation, Person, Unit
from eadm_sync.ruleset import Organisation, Ruleset, candidates, fits
from eadm_sync.ruleset.naming import LAST_NUMBER

PATTERN = """
ruleset: a
identifiers:
  user:
    candidates:
      - "{{ person.given_name | slug }}"
      - "{{ person.given_name | slug }}{{ n }}x"
    max_length: 6
    forbidden: [Admin]
  place:
    candidates: ["{{ affiliation.unit.code }}-{{ n }}"]
"""
HERE = Affiliation("hr:1", "hr", "employee", "12")


def offered(ruleset: Ruleset, given_name: str, count: int = 3, name: str = "user") -> list[str]:
    """The first names that are offered."""
    organisation = Organisation([Unit("12", "Skole")])
    return list(islice(candidates(ruleset.identifiers[name], Person("hr:1", given_name), HERE, organisation), count))


def test_patterns_are_tried_in_order_and_numbers_count_up(load: Callable[..., Ruleset]):
    """The plain name first, then n from 2 on."""
    assert offered(load(PATTERN), "Åse") == ["ase", "ase2x", "ase3x"]


def test_names_are_cut_before_their_number(load: Callable[..., Ruleset]):
    """However long the name, the number stays, so that names never run out."""
    assert offered(load(PATTERN), "Alexander", 10)[:2] == ["alexan", "alex2x"]
    assert offered(load(PATTERN), "Alexander", 10)[-1] == "ale10x"


def test_forbidden_names_are_left_out_whatever_their_case(load: Callable[..., Ruleset]):
    """`Admin` forbids `admin`, and what is made of it with a number is another name."""
    assert offered(load(PATTERN), "ADMIN", 1) == ["admi2x"]


def test_who_has_no_name_gets_none(load: Callable[..., Ruleset]):
    """A bare number is nobody's name; what stands beside the number here is part of it."""
    assert offered(load(PATTERN), "") == ["2x", "3x", "4x"]


def test_patterns_read_the_unit(load: Callable[..., Ruleset]):
    """The affiliation's unit is resolved in the organisation."""
    assert offered(load(PATTERN), "Kari", 2, "place") == ["12-2", "12-3"]


def test_patterns_end(load: Callable[..., Ruleset]):
    """There is a last number, and no name comes twice."""
    names = offered(load(PATTERN), "Kari", 10 * LAST_NUMBER)

    assert len(names) == len(set(names)) == LAST_NUMBER


def test_a_number_that_was_offered_once_is_passed_over_where_the_caller_says_so(load: Callable[..., Ruleset]):
    """The next person with the same name begins behind the last number that anybody was offered."""
    rule, reached = load(PATTERN).identifiers["user"], {}

    first, second = (
        list(islice(candidates(rule, Person(f"hr:{number}", "Kari"), HERE, Organisation(), reached), 3))
        for number in range(2)
    )

    assert first == ["kari", "kari2x", "kari3x"]
    assert second == ["kari", "kari4x", "kari5x"]


def fitting(ruleset: Ruleset, given_name: str, name: str) -> bool:
    """Whether a name fits somebody called so."""
    return fits(ruleset.identifiers["user"], Person("hr:1", given_name), HERE, Organisation(), name)


def test_what_fits_is_what_is_offered(load: Callable[..., Ruleset]):
    """In whatever case, with whatever number, cut as it would be; and nothing else."""
    ruleset = load(PATTERN)

    assert all(fitting(ruleset, "Åse", name) for name in ("ase", "ASE", "ase2x", "a9999x"))
    assert not any(
        fitting(ruleset, "Åse", name) for name in ("ase1x", "ase02x", "ase2", "ase9999x", "10000x", "kari", "")
    )
    assert all(fitting(ruleset, "Alexander", name) for name in ("alexan", "alex2x", "ale10x"))
    assert not fitting(ruleset, "Admin", "admin")


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=50)
@given(name=st.text("abc1290", min_size=1, max_size=8), place=st.integers(0, 400))
def test_every_name_that_is_offered_fits(load: Callable[..., Ruleset], name: str, place: int):
    """Names that hold digits themselves are no exception."""
    ruleset = load(PATTERN)

    assert fitting(ruleset, name, offered(ruleset, name, place + 1)[-1])


PLACED = """
ruleset: a
identifiers:
  user: {{candidates: ["{{{{ person.given_name }}}}{{{{ n }}}}"], unique_in: [ad.title, google.mail]}}
accounts:
  - rule: one
    target: ad
    attributes: {{name: x, title: "{0}"}}
  - rule: two
    target: google
    attributes: {{mail: "{{{{ user }}}}@{{{{ target.domain }}}}", alias: "{{{{ user }}}}{{{{ person.id }}}}"}}
"""


def test_a_name_becomes_what_the_rules_make_of_it(load: Callable[..., Ruleset]):
    """Forms are those of rules that read the name alone; the attribute's length, less what is added, is a limit."""
    rule = load(PLACED.format("{{ user }}-{{ target.suffix }}")).identifiers["user"]

    assert [(form.target, form.attribute, form.render("kari")) for form in rule.forms] == [
        ("ad", "title", "kari-x.no"),
        ("google", "mail", "kari@g.no"),
    ]
    assert rule.max_length == 5


def test_what_depends_on_more_than_the_name_is_taken_as_the_name_itself(load: Callable[..., Ruleset]):
    """What the attribute will hold cannot be told before the name is given."""
    rule = load(PLACED.format("{{ user }} {{ person.family_name }}")).identifiers["user"]

    assert [form.render("kari") for form in rule.forms] == ["kari", "kari@g.no"]
    assert rule.max_length == 10


def test_a_name_that_could_never_fit_is_refused(refused: Callable[..., list[str]]):
    """What rules add to the name is longer than the attribute."""
    (problem,) = refused(PLACED.format("{{ user }} of {{ target.base_dn }} {{ target.suffix }}"))

    assert problem.startswith("a.yaml:4:1: no name is short enough")


@pytest.mark.parametrize(
    ("title", "around"),
    [
        ("{{ user }}", ("", "")),
        ("{{ user }}-{{ target.suffix }}", ("", "-x.no")),
        ("a{{ user }}", ("a", "")),
        ("{{ 'a' ~ user }}", ("a", "")),
        ("{{ user | first(3) }}", None),
        ("{{ user }}{{ user }}", None),
        ("{{ user if user is defined else 'x' }}", None),
        ("{{ target.suffix }} {{ user | upper }}", None),
    ],
)
def test_what_stands_around_a_name_is_known_where_nothing_else_becomes_of_it(
    load: Callable[..., Ruleset], title: str, around: tuple[str, str] | None
):
    """Of a form that cuts or repeats the name, it does not say which names become the same."""
    form, _ = load(PLACED.format(title)).identifiers["user"].forms

    assert form.around == around
    if around is not None:
        assert form.render("kari") == f"{around[0]}kari{around[1]}"
