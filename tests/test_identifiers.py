"""Usernames and the like: never shared, never given twice, kept for good."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Connection, create_engine
from sqlalchemy.exc import IntegrityError

from eadm_sync.config.keys import Key
from eadm_sync.identifiers import (
    AccountValues,
    Fates,
    Identifiers,
    NameTaken,
    NoFreeCandidate,
    reservations_of,
    store,
)
from eadm_sync.ruleset import Form, IdentifierRule
from eadm_sync.ruleset.naming import alike
from eadm_sync.state import tables
from eadm_sync.state.crypto import Vault

VAULT = Vault([Key("k1", b"k" * 32)])


@pytest.fixture
def state() -> Iterator[Connection]:
    """An empty state in memory."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        yield connection
    engine.dispose()


def names(*values: str) -> Callable[[], Iterable[str]]:
    """Candidates."""
    return lambda: values


def test_the_first_free_candidate_is_taken_and_kept(state: Connection):
    """A second asker gets the next; the first keeps what it has, whatever the candidates say later."""
    identifiers = Identifiers(state, VAULT.digest)
    identifiers.load(["hr:1", "hr:2"])

    first = identifiers.of("hr:1", "username", names("olanor", "olanor2"))
    second = identifiers.of("hr:2", "username", names("OlaNor", "olanor2"))
    again = identifiers.of("hr:1", "username", names("something-else"))

    assert (first, second, again) == ("olanor", "olanor2", "olanor")
    assert identifiers.allocated == [("hr:1", "username", "olanor"), ("hr:2", "username", "olanor2")]


def test_what_was_stored_is_found_again(state: Connection):
    """The next run gives nobody a new name, and nobody somebody else's."""
    store(state, [("hr:1", "username", "Olanor")], "2026-11-22T00:00:00+00:00")
    identifiers = Identifiers(state, VAULT.digest)
    identifiers.load(["hr:1", "hr:2"])

    assert identifiers.of("hr:1", "username", names("other")) == "Olanor"
    assert identifiers.of("hr:2", "username", names("olanor", "olanor2")) == "olanor2"


def test_a_name_that_no_longer_fits_is_followed_by_another(state: Connection):
    """The newest that the person had and that fits, or else the first free one; and once said it is said again."""
    store(state, [("hr:1", "username", "lie"), ("hr:2", "username", "moe")], "2026-11-20T00:00:00+00:00")
    store(state, [("hr:1", "username", "dahl")], "2026-11-21T00:00:00+00:00")
    identifiers = Identifiers(state, VAULT.digest)
    identifiers.load(["hr:1"])

    assert identifiers.of("hr:1", "username", names("x"), lambda name: name in {"dahl", "lie"}) == "dahl"
    assert identifiers.of("hr:1", "username", names("x"), lambda _name: False) == "dahl"  # settled for this run
    identifiers.load(["hr:1"])
    assert identifiers.of("hr:1", "username", names("x"), lambda name: name == "lie") == "lie"
    assert identifiers.allocated == [("hr:1", "username", "lie")]
    identifiers.load(["hr:1"])
    assert identifiers.of("hr:1", "username", names("moe", "moe2"), lambda name: name.startswith("moe")) == "moe2"
    assert identifiers.allocated == [("hr:1", "username", "moe2")]


def test_a_name_that_comes_back_counts_again(state: Connection):
    """What was stored last is what counts, however old it is."""
    store(state, [("hr:1", "username", "lie")], "2026-11-20T00:00:00+00:00")
    store(state, [("hr:1", "username", "dahl")], "2026-11-21T00:00:00+00:00")
    store(state, [("hr:1", "username", "Lie")], "2026-11-22T00:00:00+00:00")
    identifiers = Identifiers(state, VAULT.digest)
    identifiers.load(["hr:1", "hr:2"])

    assert identifiers.held("hr:1", "username") == "Lie"
    assert identifiers.of("hr:2", "username", names("dahl", "lie", "new")) == "new"


def test_many_names_are_written_down_in_portions(state: Connection, monkeypatch: pytest.MonkeyPatch):
    """All of them, new ones and those that come back; and a second owner is refused wherever the portions end."""
    monkeypatch.setattr("eadm_sync.identifiers._PORTION", 2)
    store(state, [("hr:3", "username", "old"), ("hr:3", "username", "newer")], "2026-11-20T00:00:00+00:00")

    store(state, [*((f"hr:{n}", "username", f"n{n}") for n in range(5)), ("hr:3", "username", "Old")], "2026-11-21")

    held = Identifiers(state, VAULT.digest)
    held.load([f"hr:{n}" for n in range(5)])
    assert [held.held(f"hr:{n}", "username") for n in range(5)] == ["n0", "n1", "n2", "n3", "n4"]
    rows = state.execute(tables.identifiers.select().where(tables.identifiers.c.folded == "old")).all()
    assert [(row.person_id, row.value, row.allocated_at) for row in rows] == [("hr:3", "Old", "2026-11-21")]
    with pytest.raises(IntegrityError):
        store(state, [("hr:9", "username", "x"), ("hr:9", "name", "x"), ("hr:9", "username", "N1")], "2026-11-22")


def test_a_reserved_name_is_never_given(state: Connection):
    """The name of somebody who is forgotten stays out of reach, though nobody can read it."""
    reserved = VAULT.digest("username", "olanor")
    state.execute(tables.reservations.insert(), {"name": "username", "digest": reserved, "until": None})
    identifiers = Identifiers(state, VAULT.digest)
    identifiers.load(["hr:1"])

    assert identifiers.of("hr:1", "username", names("Olanor", "olanor2")) == "olanor2"


def test_when_nothing_is_free_it_says_so(state: Connection):
    """No name is made up, and nobody else's is taken."""
    store(state, [("hr:1", "username", "a")], "2026-11-22T00:00:00+00:00")
    identifiers = Identifiers(state, VAULT.digest)
    identifiers.load(["hr:2"])

    with pytest.raises(NoFreeCandidate, match="no free username"):
        identifiers.of("hr:2", "username", names("A", ""))


ALIKE = [
    ("José", "JOSE"),
    ("Müller", "muller"),
    ("jose\u0301", "josé"),  # the accent as a character of its own
    ("Åse", "ase"),
    ("ｏｌａ", "ola"),  # full width
    ("ﬁnn", "finn"),
    ("\u0430dmin", "admin"),  # a Cyrillic а
    ("ola\u200bnor", "olanor"),  # a blank without width
]


@pytest.mark.parametrize(("one", "other"), ALIKE)
def test_names_that_a_directory_takes_for_the_same_are_not_both_given(state: Connection, one: str, other: str):
    """Nor later, nor after their owner was forgotten, nor where an account holds one of them."""
    now = "2026-11-22T00:00:00+00:00"
    identifiers = Identifiers(state, VAULT.digest)
    assert identifiers.of("hr:1", "username", names(one)) == one
    assert not identifiers.is_free("username", other, "hr:2")

    store(state, identifiers.allocated, now)
    later = Identifiers(state, VAULT.digest)
    assert later.of("hr:2", "username", names(other, "free")) == "free"
    assert Fates(state, VAULT.digest, {}).of("username", other, "hr:2").person == "hr:1"

    reserved = [
        {"name": "alias", "digest": digest, "until": None} for digest in reservations_of("alias", one, VAULT.digest)
    ]
    state.execute(tables.reservations.insert(), reserved)
    assert not Identifiers(state, VAULT.digest).is_free("alias", other)
    assert Fates(state, VAULT.digest, {}).of("alias", other, "hr:2").outcome == "reserved"

    accounts = AccountValues(state, {"alias": [form := Form("ad", "mail", lambda name: f"{name}@a.example")]})
    accounts.note("hr:1", "ad", {"mail": f"{one}@a.example"})
    assert not accounts.is_free(form, other, "hr:2")


@pytest.mark.parametrize(("one", "other"), [("ola", "olav"), ("bø", "be"), ("李", "王")])
def test_other_names_stay_others(state: Connection, one: str, other: str):
    """What is unlike can be given to two people."""
    identifiers = Identifiers(state, VAULT.digest)
    identifiers.of("hr:1", "username", names(one))
    assert identifiers.of("hr:2", "username", names(other, "free")) == other


def test_of_two_that_allocate_at_once_one_gets_the_name(postgresql_url: str):
    """Two connections see the same name free at the same moment; the database lets one have it, and tells the other.

    That cannot come about while the run lock is held; it is what stands behind the lock.
    """
    engine = create_engine(postgresql_url)
    tables.metadata.create_all(engine)
    both_have_looked = Barrier(2)

    def allocate(person: str) -> str:
        try:
            with engine.begin() as connection:
                identifiers = Identifiers(connection, VAULT.digest)
                value = identifiers.of(person, "username", names("karnor", "karnor2"))
                both_have_looked.wait(timeout=30)
                store(connection, identifiers.allocated, "2026-11-22T00:00:00+00:00")
        except IntegrityError:
            return "refused"
        return value

    with ThreadPoolExecutor(2) as pool:
        outcomes = list(pool.map(allocate, ["hr:1", "hr:2"]))

    assert sorted(outcomes) == ["karnor", "refused"]
    loser = ("hr:1", "hr:2")[outcomes.index("refused")]
    with engine.begin() as connection:
        again = Identifiers(connection, VAULT.digest)
        assert again.of(loser, "username", names("karnor", "karnor2")) == "karnor2"
    engine.dispose()


def test_the_database_refuses_a_second_owner(state: Connection):
    """Even if two runs got past each other, only one can write the name down."""
    store(state, [("hr:1", "username", "olanor")], "2026-11-22T00:00:00+00:00")

    with pytest.raises(IntegrityError):
        store(state, [("hr:2", "username", "OLANOR")], "2026-11-22T00:00:00+00:00")


def form(target: str, domain: str = "") -> Form:
    """A name in an attribute of a target."""
    return Form(target, "mail", lambda name: f"{name}{domain}")


def test_a_name_that_accounts_of_others_hold_is_not_free(state: Connection):
    """Of a target that was read; an account that somebody is to get keeps nobody but others from its name."""

    def strangers(target: str) -> list[tuple[str, dict[str, str]]]:
        return [("", {"mail": "ANN@x.no"}), ("hr:1", {"mail": "bo@x.no"})] if target == "ad" else []

    accounts = AccountValues(state, {"mail": [form("ad", "@x.no"), form("web")]}, strangers=strangers)

    assert not accounts.is_free(form("ad", "@x.no"), "ann", "hr:1")
    assert accounts.is_free(form("ad", "@x.no"), "bo", "hr:1")
    assert not accounts.is_free(form("ad", "@x.no"), "bo", "hr:2")
    assert accounts.is_free(form("web"), "ann", "hr:1")


PIECES = st.sampled_from(["", "a", "b", "ab", "A", "@", "é", "."])
TEXTS = st.lists(PIECES, min_size=1, max_size=3).map("".join)


@given(
    around=st.lists(st.tuples(st.sampled_from(["one", "two"]), PIECES, PIECES), min_size=1, max_size=3),
    moves=st.lists(
        st.one_of(
            st.tuples(st.sampled_from(["one", "two"]), st.sampled_from("123"), TEXTS.filter(bool)),
            st.tuples(st.none(), st.sampled_from("123"), TEXTS),
        ),
        max_size=12,
    ),
)
def test_what_is_not_kept_of_accounts_would_keep_nobody_from_a_name(
    around: list[tuple[str, str, str]], moves: list[tuple[str | None, str, str]]
):
    """Names of two kinds, and accounts, in one attribute: as free as if all that accounts hold were kept."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)

    def identifiers(connection: Connection, *, sparing: bool) -> Identifiers:
        rules = {name: rule(name, forms(name, sparing=sparing)) for name in ("one", "two")}
        return Identifiers(connection, VAULT.digest, rules)

    def forms(name: str, *, sparing: bool) -> tuple[Form, ...]:
        return tuple(
            Form(
                "ad", "mail", lambda one, head=head, tail=tail: f"{head}{one}{tail}", (head, tail) if sparing else None
            )
            for owner, head, tail in around
            if owner == name
        )

    with engine.begin() as connection:
        both = identifiers(connection, sparing=True), identifiers(connection, sparing=False)
        for name, person, text in moves:
            if name is None:
                for each in both:
                    each.note(person, "ad", {"mail": text})
            else:
                spared, kept = (each.is_free(name, text, person) for each in both)
                assert spared == kept
                if kept:
                    for each in both:
                        assert each.take(person, name, text) == text
    engine.dispose()


def rule(name: str, forms: tuple[Form, ...]) -> IdentifierRule:
    """An identifier that becomes some things."""
    return IdentifierRule(name, "rules.yaml", 1, (), (), None, frozenset(), frozenset(), None, forms=forms)


def test_accounts_that_cannot_be_read_are_asked_for_again(state: Connection):
    """Nobody is told that a name is free because the first question failed."""

    def strangers(_target: str) -> list[tuple[str, dict[str, str]]]:
        raise NameTaken("username")

    accounts = AccountValues(state, {"mail": [form("ad")]}, strangers=strangers)

    for _ in range(2):
        with pytest.raises(NameTaken):
            accounts.is_free(form("ad"), "ann", "hr:1")


def test_a_name_that_an_account_has_already_is_taken_over(state: Connection):
    """It is the person's from then on, and nobody else's."""
    identifiers = Identifiers(state, VAULT.digest)
    identifiers.load(["hr:1", "hr:2"])

    assert not identifiers.has_any("hr:1", "username")
    assert identifiers.take("hr:1", "username", "OldKari") == "OldKari"
    assert identifiers.has_any("hr:1", "username")
    assert identifiers.of("hr:1", "username", names("kari")) == "OldKari"
    assert identifiers.allocated == [("hr:1", "username", "OldKari")]
    with pytest.raises(NameTaken):
        identifiers.take("hr:2", "username", "oldkari")


@given(wishes=st.lists(st.lists(st.sampled_from("aAbBcCøØoåé"), min_size=1, max_size=6), max_size=12))
def test_no_two_people_ever_share_a_name(wishes: list[list[str]]):
    """Whatever is asked for, in whatever order and case."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.begin() as connection:
        identifiers = Identifiers(connection, VAULT.digest)
        given_names = []
        for number, wish in enumerate(wishes):
            try:
                given_names.append(alike(identifiers.of(f"hr:{number}", "username", lambda wish=wish: wish)))
            except NoFreeCandidate:
                assert set(map(alike, wish)) <= set(given_names)
    engine.dispose()

    assert len(given_names) == len(set(given_names))
