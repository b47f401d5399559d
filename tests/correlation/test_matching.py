"""Which account is whose: only what nothing speaks against is adopted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Kind, RemoteObject, Value
from eadm_sync.config.settings import MatchSettings
from eadm_sync.correlation import Decision, Matching, MatchRule, Verdict, VerdictKind, compile_rules
from eadm_sync.errors import ConfigError
from eadm_sync.expression import Origin
from eadm_sync.model import Person, Sealed

SETTINGS = (
    MatchSettings(match="employeeID", to="{{ person.employee_number }}"),
    MatchSettings(match="name", to="{{ person.username }}"),
    MatchSettings(match="mail", to="{{ person.email }}", propose=True),
)
KARI = Person("hr:1", employee_number="1", username="kari", email="kari@x.no")
OLA = Person("hr:2", employee_number="2", username="ola", email="ola@x.no")


def digest(kind: str, value: str) -> bytes:
    """A hash that anybody can make."""
    return f"{kind}/{value}".encode()


def rules(*settings: MatchSettings, attributes: Mapping[str, str] | None = None) -> tuple[MatchRule, ...]:
    """Compiled match rules."""
    return compile_rules(settings or SETTINGS, attributes or {}, frozenset(), lambda _path: Origin("x"))


def account(anchor: str, owner: str | None = None, deleted: bool = False, **attributes: Value) -> RemoteObject:
    """An account of the target."""
    return RemoteObject(Kind.ACCOUNT, anchor, dict(attributes), None, enabled=True, deleted=deleted, owner=owner)


def verdicts(
    accounts: Iterable[RemoteObject | tuple[RemoteObject, dict[str, Any]]],
    people: Iterable[Person] = (KARI, OLA),
    known: Mapping[str, str] | None = None,
    decisions: Mapping[tuple[str, str], Decision] | None = None,
    by: tuple[MatchRule, ...] | None = None,
) -> dict[str, Verdict]:
    """What becomes of everybody; an account may come with why it is protected, or out of scope."""
    matching = Matching(by or rules(), known or {}, decisions or {}, digest)
    matching.add_people(people, lambda sealed: sealed.ciphertext.decode())
    for one in accounts:
        remote, how = one if isinstance(one, tuple) else (one, {})
        name = str(remote.attributes.get("name", ""))
        matching.add_account(remote, name, how.get("protected"), in_scope=how.get("in_scope", True))
    return matching.verdicts()


def kinds(found: Mapping[str, Verdict]) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Person → (word, anchors)."""
    return {
        person: (str(one.kind), tuple(seen.remote.anchor for seen in one.accounts)) for person, one in found.items()
    }


ADOPT_A = {"hr:1": ("adopt", ("a",))}


@pytest.mark.parametrize(
    ("accounts", "expected"),
    [
        # nobody is there
        ([], {}),
        ([account("a", name="stranger")], {}),
        # one account for one person, by the first rule, by a later one, by both, and without case
        ([account("a", employeeID="1")], ADOPT_A),
        ([account("a", employeeID=1)], ADOPT_A),
        ([account("a", name="KARI")], ADOPT_A),
        ([account("a", employeeID="1", name="kari")], ADOPT_A),
        # one of the values of a list
        ([account("a", employeeID=["9", "1"])], ADOPT_A),
        # true is no text
        ([account("a", employeeID=True)], {}),
        # two accounts by one rule
        ([account("a", employeeID="1"), account("b", employeeID="1")], {"hr:1": ("ambiguous", ("a", "b"))}),
        # two rules that disagree
        ([account("a", employeeID="1"), account("b", name="kari")], {"hr:1": ("ambiguous", ("a", "b"))}),
        # the stronger rule finds one, a weaker one another and not the first
        (
            [account("a", employeeID="1", name="ola")],
            {"hr:1": ("ambiguous", ("a",)), "hr:2": ("ambiguous", ("a",))},
        ),
        # a rule that proposes never adopts, and another account that it finds does not speak against one that does
        ([account("a", mail="kari@x.no")], {"hr:1": ("proposed", ("a",))}),
        ([account("a", employeeID="1"), account("b", mail="kari@x.no")], ADOPT_A),
        # but the same account that it finds for another does
        (
            [account("a", employeeID="1", mail="ola@x.no")],
            {"hr:1": ("ambiguous", ("a",)), "hr:2": ("proposed", ("a",))},
        ),
        # deleted accounts are not there
        ([account("a", deleted=True, employeeID="1")], {}),
        # one that was made for somebody of ours is theirs already
        ([account("a", owner="hr:1", employeeID="1")], {}),
        ([account("a", owner="hr:2", employeeID="1")], {}),
        ([account("a", owner="an older installation's", employeeID="1")], ADOPT_A),
        # out of scope, and protected
        ([(account("a", employeeID="1"), {"in_scope": False})], {}),
        ([(account("a", employeeID="1"), {"protected": "why"})], {"hr:1": ("protected", ("a",))}),
        ([(account("a", mail="kari@x.no"), {"protected": "why"})], {}),
        # an administrator's second account does not keep the first from being found
        ([(account("a", employeeID="1"), {"protected": "why"}), account("b", employeeID="1")],
         {"hr:1": ("adopt", ("b",))}),
        # unless a weaker rule found that one
        ([(account("a", employeeID="1"), {"protected": "why"}), account("b", name="kari")],
         {"hr:1": ("ambiguous", ("b",))}),
    ],
)  # fmt: skip
def test_an_account_is_adopted_only_where_nothing_speaks_against_it(
    accounts: list[Any], expected: dict[str, tuple[str, tuple[str, ...]]]
) -> None:
    """Everything else waits for somebody's word, or is not seen at all."""
    assert kinds(verdicts(accounts)) == expected


def test_a_match_must_be_unique_among_people_too() -> None:
    """Two people with one number: neither gets the account."""
    twin = Person("hr:3", employee_number="1")
    found = verdicts([account("a", employeeID="1")], [KARI, twin])

    assert kinds(found) == {"hr:1": ("ambiguous", ("a",)), "hr:3": ("ambiguous", ("a",))}
    assert found["hr:1"].reason == "the account matches hr:3 as well"


NUMBER, MAIL = SETTINGS[0], SETTINGS[2]
CLERK = Person("hr:9", employee_number="1", email="clerk@x.no")
"""Somebody who wrote the number of Kari, the mayor, into their own row."""


@pytest.mark.parametrize(
    ("mayor", "clerk"),
    [
        # the number stands in both rows
        (KARI, CLERK),
        # it was taken out of the mayor's
        (Person("hr:1", email="kari@x.no"), CLERK),
        # the two were swapped
        (Person("hr:1", employee_number="9", email="kari@x.no"), CLERK),
        # and the clerk's own address is gone, so that nothing leads to their own account
        (Person("hr:1", employee_number="9", email="kari@x.no"), Person("hr:9", employee_number="1")),
    ],
)
def test_nobody_gets_an_account_by_writing_its_number_into_their_own_row(mayor: Person, clerk: Person) -> None:
    """While a weaker rule still finds its owner, and not them, somebody has to say whose it is."""
    accounts = [
        account("mayor's", employeeID="1", mail="kari@x.no"),
        account("clerk's", employeeID="9", mail="clerk@x.no"),
    ]
    found = verdicts(accounts, [mayor, clerk], by=rules(NUMBER, MAIL))

    assert kinds(found)["hr:9"] == ("ambiguous", ("mayor's",))


def test_a_namesake_does_not_speak_against_a_match() -> None:
    """Both could be called so, and one of them is by a stronger rule; nor is the other offered the account."""
    namesake = Person("hr:3", email="kari@x.no")
    found = verdicts([account("a", employeeID="1", mail="kari@x.no")], [KARI, namesake], by=rules(NUMBER, MAIL))

    assert kinds(found) == ADOPT_A


def test_a_rejected_match_speaks_against_nothing() -> None:
    """Once somebody has said that it is not Ola's, Kari gets it."""
    said = {("hr:2", "a"): Decision.REJECT}

    assert kinds(verdicts([account("a", employeeID="1", mail="ola@x.no")], decisions=said)) == ADOPT_A


def test_somebody_who_has_an_account_speaks_against_another_match() -> None:
    """Two people with one number are a slip, whoever of them is managed already."""
    twin = Person("hr:3", employee_number="1")
    found = verdicts([account("a", employeeID="1"), account("b")], [KARI, twin], known={"b": "hr:3"})

    assert kinds(found) == {"hr:1": ("ambiguous", ("a",))}


def test_an_account_that_is_somebodys_is_nobody_elses() -> None:
    """Known to be Ola's, whatever it holds."""
    found = verdicts([account("a", employeeID="1")], known={"a": "hr:2"})

    assert kinds(found) == {"hr:1": ("ambiguous", ("a",))}
    assert found["hr:1"].reason == "the account is known to be hr:2's"


def test_a_proposal_of_an_account_that_is_somebodys_is_none() -> None:
    """An address that two share keeps nobody waiting."""
    assert verdicts([account("a", mail="kari@x.no")], known={"a": "hr:2"}) == {}


def test_who_is_known_to_have_an_account_is_not_matched() -> None:
    """Another account of theirs stays a stranger."""
    assert verdicts([account("a", employeeID="1"), account("b")], known={"b": "hr:1"}) == {}


@pytest.mark.parametrize(
    ("decisions", "expected"),
    [
        # somebody's word counts for more than any rule, for the account as well
        ({("hr:1", "b"): Decision.ACCEPT}, {"hr:1": ("adopt", ("b",))}),
        ({("hr:2", "a"): Decision.ACCEPT}, {"hr:1": ("adopt", ("b",)), "hr:2": ("adopt", ("a",))}),
        # what was rejected is not theirs
        ({("hr:1", "b"): Decision.REJECT}, {"hr:1": ("adopt", ("a",))}),
        ({("hr:1", "a"): Decision.REJECT, ("hr:1", "b"): Decision.REJECT}, {}),
        # left alone: known, and not managed
        ({("hr:1", "b"): Decision.LEAVE}, {"hr:1": ("left", ("b",))}),
    ],
)
def test_what_somebody_said_settles_it(
    decisions: dict[tuple[str, str], Decision], expected: dict[str, tuple[str, tuple[str, ...]]]
) -> None:
    """Accept, reject, or leave."""
    accounts = [account("a", employeeID="1"), account("b", employeeID="1")]
    assert kinds(verdicts(accounts, decisions=decisions)) == expected


def test_nobodys_word_takes_a_protected_account() -> None:
    """Accepting it changes nothing; leaving it alone does."""
    protected = (account("a", employeeID="1"), {"protected": "why"})
    accepted = verdicts([protected], decisions={("hr:1", "a"): Decision.ACCEPT})
    left = verdicts([protected], decisions={("hr:1", "a"): Decision.LEAVE})

    assert kinds(accepted) == {"hr:1": ("protected", ("a",))}
    assert kinds(left) == {"hr:1": ("left", ("a",))}


@pytest.mark.parametrize("held", ["010150", digest("national_id", "010150").hex()])
def test_a_national_id_is_compared_by_its_keyed_hash(held: str) -> None:
    """Whether the target keeps it in clear or as our keyed hash; and the match says that it is not to be shown."""
    by = rules(MatchSettings(match="nin", to="{{ person.national_id }}"))
    person = Person("hr:1", national_id=Sealed(b"010150", b"digest"))
    found = verdicts([account("a", nin=held)], [person, OLA], by=by)

    assert kinds(found) == ADOPT_A
    assert found["hr:1"].sensitive


def test_wrong_match_rules_are_told_of_all_at_once() -> None:
    """An attribute that the target lacks, a text that fits everybody, a field that people do not have."""
    wrong = [
        MatchSettings(match="employeeNo", to="{{ person.employee_number }}"),
        MatchSettings(match="mail", to="x@y.no"),
        MatchSettings(match="mail", to="{{ person.emial }}"),
    ]
    with pytest.raises(ConfigError) as caught:
        rules(*wrong, attributes={"mail": "str"})

    told = "\n".join(problem.message for problem in caught.value.problems)
    assert "no attribute 'employeeNo'" in told
    assert "fit everybody" in told
    assert "emial" in told


PEOPLE = st.lists(
    st.tuples(st.sampled_from(["", "1", "2", "3"]), st.sampled_from(["", "x", "y"]), st.sampled_from(["", "m", "n"])),
    max_size=6,
)


@given(people=PEOPLE, there=PEOPLE, known=st.lists(st.booleans(), min_size=6, max_size=6))
def test_whoever_is_there_no_account_goes_to_two_and_none_to_another(
    people: list[tuple[str, str, str]], there: list[tuple[str, str, str]], known: list[bool]
) -> None:
    """An adopted account is one that the person alone matches by that rule; order has no say."""
    persons = [
        Person(f"hr:{number}", employee_number=number_ or None, username=name or None, email=mail or None)
        for number, (number_, name, mail) in enumerate(people)
    ]
    accounts = [
        account(f"a{number}", employeeID=number_, name=name, mail=mail)
        for number, (number_, name, mail) in enumerate(there)
    ]
    ours = {one.anchor: f"other:{number}" for number, one in enumerate(accounts) if known[number]}

    found = verdicts(accounts, persons, known=ours)

    adopted = [one.adopted.remote for one in found.values() if one.adopted is not None]
    assert len({one.anchor for one in adopted}) == len(adopted)
    assert not ours.keys() & {one.anchor for one in adopted}
    for person, verdict in found.items():
        if verdict.kind is VerdictKind.ADOPT:
            (seen,) = verdict.accounts
            wanted = {"employeeID": "employee_number", "name": "username"}[verdict.rule]
            value = getattr(next(one for one in persons if one.id == person), wanted)
            assert value
            assert [one.id for one in persons if getattr(one, wanted) == value] == [person]
            assert [one.anchor for one in accounts if one.attributes[verdict.rule] == value] == [seen.remote.anchor]
    backwards = verdicts(reversed(accounts), reversed(persons), known=ours)
    assert kinds(backwards) == kinds(found)
