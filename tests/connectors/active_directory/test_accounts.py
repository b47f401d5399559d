"""Accounts in a real domain, beyond the contract."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from uuid import uuid4

import pytest

from connectors.active_directory import ActiveDirectoryTarget, names
from connectors.active_directory.accounts import _random_password
from connectors.active_directory.connection import Session
from connectors.active_directory.namesakes import numbered
from connectors.contract import Action, Kind, Operation, Outcome, Password, Value
from connectors.errors import AlreadyExists, AuthenticationFailed, ConnectorError, NotFound, Rejected
from tests.samba import BASE_DN

Home = Any
Open = Callable[..., ActiveDirectoryTarget]
STRONG = "Gul-Hest7-hopper"
EVERYBODY = bytes.fromhex("010100000000000100000000")  # S-1-1-0
DELETE, DELETE_CHILD = 0x10000, 0x2


class Hand:
    """Does one thing after another, in the test's own container."""

    def __init__(self, target: ActiveDirectoryTarget, home: Home) -> None:
        self.target = target
        self.home = home

    def do(self, action: Action, **fields: Any) -> Outcome:
        """One operation on an account."""
        (outcome,) = self.target.apply([operation(action, **fields)])
        return outcome

    def new(self, word: str, container: str | None = None, **fields: Any) -> Operation:
        """The creation of an account, disabled unless something else is asked."""
        attributes = {"sAMAccountName": self.home.name(word), **fields.pop("attributes", {})}
        every = {"owner": uuid4().hex, "enabled": False, **fields}
        return operation(Action.CREATE, attributes=attributes, container=container or self.home.dn, **every)

    def create(self, word: str, **fields: Any) -> Outcome:
        """A new account."""
        (outcome,) = self.target.apply([self.new(word, **fields)])
        return outcome

    def anchors(self, creates: Sequence[Operation]) -> list[str]:
        """The anchors of new accounts, in the order of their creations."""
        outcomes = {outcome.operation_id: outcome for outcome in self.target.apply(creates)}
        assert not [outcome.error for outcome in outcomes.values() if outcome.error]
        return [str(outcomes[create.id].anchor) for create in creates]

    def made(self, word: str, **fields: Any) -> str:
        """The anchor of a new account."""
        outcome = self.create(word, **fields)
        assert outcome.error is None, outcome.error
        return str(outcome.anchor)

    def raw(self, anchor: str, *names: str) -> dict[str, list[str]]:
        """Attributes as the domain has them, and the DN."""
        assert self.home.admin.search(f"<GUID={anchor}>", "(objectClass=*)", "BASE", attributes=list(names) or ["cn"])
        entry = self.home.admin.response[0]
        values = {name: [one.decode() for one in each] for name, each in entry["raw_attributes"].items() if each}
        return {**values, "dn": [entry["dn"]]}


def operation(action: Action, **fields: Any) -> Operation:
    """An operation on an account."""
    return Operation(**{"id": uuid4().hex, "kind": Kind.ACCOUNT, **fields}, action=action)


@pytest.fixture
def hand(target: Open, home: Home) -> Iterator[Hand]:
    """A target on the test's own container; Samba needs no password to enable an account."""
    return Hand(target(random_password=False), home)


# ---------------------------------------------------------------- names and places


# Rows: what would end a name or begin another, what has to be escaped at its begin or end, letters outside ASCII.
AWKWARD = [
    *("Nordmann, Kari", "Kari+Ola", "#1", "a=b", 'Kari "K" <x>; y\\z', "Ærlig Åse Čearru", "a\\2cb", "x,OU=Domain"),
    *("\\", "/", "*)(objectClass=*", "CN=Administrator,CN=Users", "<GUID=1>", "🦌", "#04024869"),
]


def test_a_name_is_a_name_whatever_it_holds(hand: Hand) -> None:
    """It is stored as it is, in the container that was asked for, on create and on rename."""
    creates = [hand.new(f"a{number}", attributes={"cn": cn}) for number, cn in enumerate(AWKWARD)]
    anchors = hand.anchors(creates)
    renames = [
        operation(Action.UPDATE, anchor=one, attributes={"cn": f"{cn}!"})
        for one, cn in zip(anchors, AWKWARD, strict=True)
    ]
    for suffix in ("", "!"):
        for anchor, cn in zip(anchors, AWKWARD, strict=True):
            found = hand.raw(anchor, "cn")
            assert found["cn"] == [cn + suffix]
            assert names.canonical(names.parent(found["dn"][0])) == names.canonical(hand.home.dn)
        assert [outcome.error for outcome in hand.target.apply(renames)] == [None] * len(AWKWARD)


def test_a_name_that_windows_refuses_is_refused(hand: Hand) -> None:
    """Samba takes all of them, and cuts one off at the NUL."""
    anchor = hand.made("b")
    for cn in ("a\0b", "a\nb", " a", "a ", "x" * 65, "x" * 10_000, ""):
        outcomes = (
            hand.create("a", attributes={"cn": cn}),
            hand.do(Action.UPDATE, anchor=anchor, attributes={"cn": cn}),
        )
        for outcome in outcomes:
            assert isinstance(outcome.error, Rejected)
            assert outcome.error.attribute == "cn"


def test_a_name_that_is_taken_in_its_container_gets_a_number(hand: Hand) -> None:
    """The next free one, and the outcome tells of it; in another container the name is free."""
    stored = [hand.create(word, attributes={"cn": "Kari"}).attributes for word in "abc"]
    assert stored == [{}, {"cn": "Kari 2"}, {"cn": "Kari 3"}]
    elsewhere = hand.create("d", container=f"OU=Other,{hand.home.dn}", attributes={"cn": "KARI"})
    assert elsewhere.attributes == {}


def test_several_of_one_batch_may_want_the_same_name(hand: Hand) -> None:
    """Each gets another number, though they are under way at the same time."""
    anchors = hand.anchors([hand.new(word, attributes={"cn": "Ola"}) for word in "abc"])
    assert {hand.raw(anchor)["cn"][0] for anchor in anchors} == {"Ola", "Ola 2", "Ola 3"}


def test_who_has_a_number_keeps_it(hand: Hand) -> None:
    """Asking for the same name again changes nothing, also when the name is free by then."""
    first, second = (hand.made(word, attributes={"cn": "Kari"}) for word in "ab")
    hand.do(Action.DELETE, anchor=first)
    outcome = hand.do(Action.UPDATE, anchor=second, attributes={"cn": "Kari"})
    assert outcome.attributes == {"cn": "Kari 2"}
    assert hand.raw(second)["cn"] == ["Kari 2"]


@pytest.mark.parametrize(("cn", "number", "expected"), [("Kari", 1, "Kari"), ("K" * 64, 12, f"{'K' * 61} 12")])
def test_a_numbered_name_is_not_too_long(cn: str, number: int, expected: str) -> None:
    """The name is cut, never the number."""
    assert numbered(cn, number) == expected


def test_renamed_and_moved_at_once_an_account_avoids_a_namesake_there(hand: Hand) -> None:
    """One request does both; the name is unique where it goes to, not where it comes from."""
    there = f"OU=Bygg\\, plan,OU=Nytt,{hand.home.dn}"
    hand.made("a", container=there, attributes={"cn": "Kari"})
    anchor = hand.made("b", attributes={"cn": "Ola"})
    outcome = hand.do(Action.UPDATE, anchor=anchor, container=there, attributes={"cn": "Kari", "title": "Lærer"})
    assert outcome.attributes == {"cn": "Kari 2"}
    found = hand.raw(anchor, "title")
    assert found["dn"] == [f"CN=Kari 2,{there}"]
    assert found["title"] == ["Lærer"]


def test_a_name_follows_the_account_name_it_was_made_of(hand: Hand) -> None:
    """Where the ruleset names no CN; one given by hand stays."""
    first, second = hand.made("a"), hand.made("b", attributes={"cn": "Kari"})
    for anchor, word in ((first, "x"), (second, "y")):
        hand.do(Action.UPDATE, anchor=anchor, attributes={"sAMAccountName": hand.home.name(word)})
    assert hand.raw(first)["cn"] == [hand.home.name("x")]
    assert hand.raw(second)["cn"] == ["Kari"]


def test_what_somebody_moves_meanwhile_is_still_found(hand: Hand) -> None:
    """The anchor is good wherever the object is."""
    anchor = hand.made("a")
    unit = hand.home.unit("Elsewhere")
    hand.home.move(hand.raw(anchor)["dn"][0], unit)
    assert hand.do(Action.UPDATE, anchor=anchor, attributes={"title": "x", "cn": "Ny"}).error is None
    assert hand.raw(anchor)["dn"] == [f"CN=Ny,{unit}"]


# ---------------------------------------------------------------- attributes


def test_attributes_are_written_with_their_syntaxes(hand: Hand) -> None:
    """Dates, numbers, lists, and a manager by name, by anchor, by what he signs in with, or by who he is."""
    boss = hand.made("boss", attributes={"userPrincipalName": f"{hand.home.name('boss')}@x.no"})
    (owner,) = hand.raw(boss, mark := "msDS-cloudExtensionAttribute1")[mark]
    for manager in (boss, hand.home.name("BOSS"), f"{hand.home.name('boss')}@X.no", owner):
        outcome = hand.create(
            f"a{uuid4().hex[:4]}",
            attributes={
                "accountExpires": "2026-12-31",
                "countryCode": 578,
                "otherTelephone": ["2", "1", "2"],
                "manager": manager,
            },
        )
        assert outcome.attributes["manager"] == hand.home.name("boss")
        found = hand.raw(str(outcome.anchor), "accountExpires", "countryCode", "otherTelephone", "manager")
        assert found["accountExpires"] == ["134432352000000000"]
        assert found["countryCode"] == ["578"]
        assert sorted(found["otherTelephone"]) == ["1", "2"]
        assert found["manager"] == hand.raw(boss)["dn"]


def test_a_manager_who_is_not_there_is_left_out_and_told_of(hand: Hand) -> None:
    """The account is made all the same; the outcome says that it has none, so that the next run tries again."""
    hostile = ("nobody-of-that-name", str(uuid4()), "CN=Administrator,CN=Users,DC=eadm,DC=test", "*", "x)(a=*")
    creates = [hand.new(f"a{number}", attributes={"manager": one}) for number, one in enumerate(hostile)]
    for outcome in hand.target.apply(creates):
        assert outcome.error is None
        assert outcome.attributes == {"manager": None}
        assert outcome.warning
        assert "manager" not in hand.raw(str(outcome.anchor), "manager")


def test_a_value_that_only_the_settings_call_unique_is_not_taken_twice(target: Open, home: Home) -> None:
    """The domain itself would let two accounts have the same address, in whatever case."""
    hand = Hand(target(random_password=False, unique=["userPrincipalName", "mail", "proxyAddresses"]), home)
    mail = f"{home.name('kari')}@x.no"
    attributes: dict[str, Value] = {"mail": mail, "proxyAddresses": [f"smtp:{mail}", "SMTP:x@y"]}
    first, other = hand.made("a", attributes=attributes), hand.made("b")
    for taken in ({"mail": mail.upper()}, {"proxyAddresses": ["smtp:q@q", f"SMTP:{mail}"]}):
        for outcome in (hand.create("c", attributes=taken), hand.do(Action.UPDATE, anchor=other, attributes=taken)):
            assert isinstance(outcome.error, AlreadyExists)
            assert outcome.error.attribute == next(iter(taken))
    assert hand.do(Action.UPDATE, anchor=first, attributes=attributes).error is None


def test_what_gives_away_the_domain_is_refused_when_it_is_applied_too(hand: Hand) -> None:
    """Should a plan ever hold it."""
    anchor = hand.made("a")
    for name in ("userAccountControl", "unicodePwd", "memberOf", "servicePrincipalName", "adminCount"):
        update = hand.do(Action.UPDATE, anchor=anchor, attributes={name: "1"})
        for outcome in (hand.create("b", attributes={name: "1"}), update):
            assert isinstance(outcome.error, Rejected)
            assert outcome.error.attribute == name


# ---------------------------------------------------------------- states


def test_disabling_keeps_the_other_bits(hand: Hand) -> None:
    """That a password never expires (0x10000) is somebody's decision."""
    anchor = hand.made("a")
    dn = hand.raw(anchor)["dn"][0]
    hand.home.set(dn, userAccountControl="66048")
    for action, control in ((Action.DISABLE, "66050"), (Action.ENABLE, "66048")):
        assert hand.do(action, anchor=anchor).error is None
        assert hand.raw(anchor, "userAccountControl")["userAccountControl"] == [control]


def test_a_new_account_needs_a_password_by_no_bit(hand: Hand) -> None:
    """PASSWD_NOTREQD (0x20), which directories set where nothing is said, would let it go without one."""
    for enabled, control in ((True, "512"), (False, "514")):
        anchor = hand.made("a" if enabled else "b", enabled=enabled)
        assert hand.raw(anchor, "userAccountControl")["userAccountControl"] == [control]


def test_whoever_is_given_no_password_has_one_that_nobody_knows(target: Open, home: Home) -> None:
    """Windows enables nobody without, also not the one who is to be enabled in a week."""
    hand = Hand(target(), home)
    anchors = [hand.made("a", enabled=True), hand.made("b", enabled=False)]
    assert ["0"] not in [hand.raw(anchor, "pwdLastSet")["pwdLastSet"] for anchor in anchors]


def test_a_password_that_nobody_knows_holds_no_part_of_any_name() -> None:
    """Windows looks for parts of three characters or more, and would refuse it for good."""
    made = {_random_password().value for _ in range(50)}
    assert len(made) == 50
    assert {len(part) for one in made for part in one.split("#")} == {2}


@pytest.mark.parametrize("must_change", [True, False])
def test_a_password_can_have_to_be_changed(hand: Hand, must_change: bool) -> None:
    """On create and on reset."""
    anchor = hand.made("a", enabled=True, password=Password(STRONG, must_change))
    other = hand.made("b")
    assert hand.do(Action.UPDATE, anchor=other, password=Password(STRONG, must_change)).error is None
    for one in (anchor, other):
        assert (hand.raw(one, "pwdLastSet")["pwdLastSet"] == ["0"]) is must_change


def test_a_new_password_unlocks(hand: Hand, session: Callable[..., Session]) -> None:
    """Whoever was locked after wrong passwords, by a policy of his own here, shall be able to use it."""
    anchor = hand.made("a", enabled=True, password=Password(STRONG, must_change=False))
    (dn,) = hand.raw(anchor)["dn"]
    policy = _lock_at_once(hand, dn)
    for password, says in (("Feil-Hest7-hopper", "the password is wrong"), (STRONG, "its account is locked")):
        with pytest.raises(AuthenticationFailed, match=says):
            _ = session(user=dn, password=password).connection

    assert hand.do(Action.UPDATE, anchor=anchor, password=Password(f"{STRONG}2", must_change=False)).error is None

    assert session(user=dn, password=f"{STRONG}2").connection
    hand.home.delete(policy)


def _lock_at_once(hand: Hand, dn: str) -> str:
    """The DN of a fine-grained policy that locks one account for half an hour after one wrong password."""
    half_an_hour, lengths = "-18000000000", ("MinimumPasswordLength", "PasswordHistoryLength", "MinimumPasswordAge")
    policy = {
        "PasswordSettingsPrecedence": "1",
        **dict.fromkeys(lengths, "0"),
        **dict.fromkeys(("PasswordReversibleEncryptionEnabled", "PasswordComplexityEnabled"), "FALSE"),
        "MaximumPasswordAge": "-9223372036854775808",
        "LockoutThreshold": "1",
        **dict.fromkeys(("LockoutObservationWindow", "LockoutDuration"), half_an_hour),
        "PSOAppliesTo": dn,
    }
    place = f"CN={uuid4().hex},CN=Password Settings Container,CN=System,{BASE_DN}"
    attributes = {f"msDS-{name}": value for name, value in policy.items()}
    admin = hand.home.admin
    assert admin.add(place, "msDS-PasswordSettings", attributes), admin.result
    return place


def test_a_weak_password_is_refused_before_it_is_sent(hand: Hand) -> None:
    """Too short, too simple, or with parts of the names, which Samba would let through. No account is left behind."""
    name = f"reinsdyr{uuid4().hex[:6]}"
    attributes: dict[str, Value] = {"sAMAccountName": name, "displayName": "Kirsten Flagstad"}
    for weak in ("Ab1!", "gul-hest-hopper", "XY-Kirsten7", f"A1-{name}"):
        outcome = hand.create("a", attributes=attributes, password=Password(weak))
        assert isinstance(outcome.error, Rejected)
        assert outcome.error.attribute == "password"
    assert not hand.target.find(Kind.ACCOUNT, {"sAMAccountName": name})


def test_a_password_that_the_domain_finds_weak_leaves_no_account_that_can_be_used(target: Open, home: Home) -> None:
    """Where the settings ask for less than the domain: refused with its policy, disabled; a better one mends it."""
    hand = Hand(target(random_password=False, password_complexity=False, password_min_length=1), home)
    owner = uuid4().hex
    outcome = hand.create("a", owner=owner, enabled=True, password=Password("kort"))
    assert isinstance(outcome.error, Rejected)
    assert outcome.error.attribute == "password"
    assert "at least 7 characters" in outcome.error.reason
    (left,) = hand.target.find(Kind.ACCOUNT, {"sAMAccountName": home.name("a")})
    assert left.enabled is False
    again = hand.create("a", owner=owner, enabled=True, password=Password(STRONG))
    assert (again.error, again.anchor) == (None, left.anchor)
    assert hand.raw(left.anchor, "userAccountControl")["userAccountControl"] == ["512"]


@pytest.mark.parametrize("text", ["\ud800", "Gul-Hest7\0"])
def test_half_a_letter_ends_no_batch(hand: Hand, text: str) -> None:
    """Wherever it stands, it is refused, and the others of the batch are made."""
    wrong = [
        hand.new("a", owner=f"{uuid4().hex}{text}"),
        hand.new("b", password=Password(f"{STRONG}{text}")),
        hand.new("c", attributes={"displayName": text}),
        hand.new("d", attributes={"manager": text}),
        hand.new("e", attributes={"sAMAccountName": text}),
        hand.new("f", container=f"OU={text},{hand.home.dn}"),
    ]
    good = hand.new("g")
    outcomes = {outcome.operation_id: outcome.error for outcome in hand.target.apply([*wrong, good])}
    assert all(isinstance(outcomes[one.id], Rejected) for one in wrong)
    assert outcomes[good.id] is None


# ---------------------------------------------------------------- ends


def test_a_copied_mark_is_told_of_and_not_guessed_at(hand: Hand) -> None:
    """Two accounts bear the mark of one owner: neither is taken for the one that was made."""
    owner = uuid4().hex
    anchor = hand.made("a", owner=owner)
    hand.home.user("copy", **{"msDS-cloudExtensionAttribute1": owner})
    outcome = hand.create("a", owner=owner)
    assert isinstance(outcome.error, Rejected)
    assert "mark" in outcome.error.reason
    assert hand.raw(anchor)


def test_what_has_something_below_it_is_not_deleted(hand: Hand) -> None:
    """A telephone's partnership, say; the refusal says so."""
    anchor = hand.made("a")
    dn = hand.raw(anchor)["dn"][0]
    assert hand.home.admin.add(f"CN=Phones,{dn}", "classStore"), hand.home.admin.result
    outcome = hand.do(Action.DELETE, anchor=anchor)
    assert isinstance(outcome.error, Rejected)
    assert "below" in outcome.error.reason
    assert hand.raw(anchor)


def test_protection_from_accidental_deletion_is_told_of(hand: Hand) -> None:
    """It is a right denied to everybody, ourselves among them; the others of the batch go."""
    kept, gone = hand.made("a"), hand.made("b")
    _deny(hand, hand.raw(kept)["dn"][0], DELETE)
    _deny(hand, hand.home.dn, DELETE_CHILD)
    outcomes = {
        outcome.operation_id: outcome.error
        for outcome in hand.target.apply([operation(Action.DELETE, id=one, anchor=one) for one in (kept, gone)])
    }
    assert outcomes[gone] is None
    assert isinstance(outcomes[kept], Rejected)
    assert "accidental deletion" in str(outcomes[kept])
    assert hand.raw(kept)


def _deny(hand: Hand, dn: str, right: int) -> None:
    """Adds a denial to the top of the list of rights of an object, as Windows' own tool does ([MS-DTYP] 2.4.6)."""
    control = ("1.2.840.113556.1.4.801", True, b"\x30\x03\x02\x01\x04")
    admin = hand.home.admin
    denial = struct.pack("<BBHI", 1, 0, 8 + len(EVERYBODY), right) + EVERYBODY
    admin.search(dn, "(objectClass=*)", "BASE", attributes=["nTSecurityDescriptor"], controls=[control])
    descriptor = admin.response[0]["raw_attributes"]["nTSecurityDescriptor"][0]
    start = struct.unpack_from("<I", descriptor, 16)[0]
    revision, size, number = struct.unpack_from("<HHH", descriptor, start)
    head = struct.pack("<HHHH", revision, size + len(denial), number + 1, 0)
    changed = descriptor[:start] + head + denial + descriptor[start + 8 :]
    replace = {"nTSecurityDescriptor": [("MODIFY_REPLACE", [changed])]}
    assert admin.modify(dn, replace, controls=[control]), admin.result


def test_without_a_recycle_bin_identity_comes_back_and_nothing_else(hand: Hand) -> None:
    """The operator is told; nobody can sign in with an account that has lost its password."""
    owner = uuid4().hex
    anchor = hand.made("a", enabled=True, attributes={"title": "Lærer"})
    hand.made("b", attributes={"cn": hand.home.name("a") + " 2"})
    hand.do(Action.DELETE, anchor=anchor)
    outcome = hand.do(Action.RESTORE, anchor=anchor, owner=owner)
    assert (outcome.error, outcome.anchor) == (None, anchor)
    assert "lost" in str(outcome.warning)
    found = hand.raw(anchor, "sAMAccountName", "userAccountControl", "title", "msDS-cloudExtensionAttribute1")
    assert found["sAMAccountName"] == [hand.home.name("a")]
    assert found["userAccountControl"] == ["514"]
    assert "title" not in found
    assert found["msDS-cloudExtensionAttribute1"] == [owner]


def test_what_comes_back_avoids_a_namesake(hand: Hand) -> None:
    """Somebody got the name meanwhile."""
    anchor = hand.made("a", attributes={"cn": "Kari"})
    hand.do(Action.DELETE, anchor=anchor)
    hand.made("b", attributes={"cn": "Kari"})
    assert hand.do(Action.RESTORE, anchor=anchor).error is None
    assert hand.raw(anchor)["cn"] == ["Kari 2"]


def test_what_was_in_a_container_that_is_gone_needs_another(hand: Hand) -> None:
    """The refusal names the container; an operation that names one succeeds."""
    anchor = hand.made("a", container=f"OU=Gone,{hand.home.dn}")
    hand.do(Action.DELETE, anchor=anchor)
    hand.home.delete(f"OU=Gone,{hand.home.dn}")
    outcome = hand.do(Action.RESTORE, anchor=anchor)
    assert isinstance(outcome.error, ConnectorError)
    assert hand.do(Action.RESTORE, anchor=anchor, container=hand.home.dn).error is None
    assert hand.raw(anchor)["dn"][0].endswith(hand.home.dn)


def test_an_anchor_that_is_none_is_not_found(hand: Hand) -> None:
    """Whatever stands in it."""
    batch = [
        operation(action, anchor=anchor)
        for action in (Action.UPDATE, Action.ENABLE, Action.DISABLE, Action.RESTORE)
        for anchor in ("", "nonsense", "<GUID=1>", str(uuid4()), "*)(cn=*", "CN=x")
    ]
    outcomes = list(hand.target.apply(batch))
    assert len(outcomes) == len(batch)
    assert all(isinstance(outcome.error, NotFound) for outcome in outcomes)
