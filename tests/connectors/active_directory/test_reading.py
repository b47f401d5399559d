"""Accounts and groups, read fully or as far as they changed, and found by what they hold."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec
import pytest

from connectors.active_directory import ActiveDirectoryTarget
from connectors.active_directory.reading import Scope
from connectors.contract import Action, Kind, Operation, Password, RemoteObject, ResumeToken
from connectors.errors import AuthenticationFailed, Rejected, Stale, Unavailable
from tests.connectors.active_directory.conftest import Home
from tests.samba import BASE_DN, DomainController
from tests.services.samba.windows import WindowsLimits

Targets = Callable[..., ActiveDirectoryTarget]
LAST_OF_AUGUST = "134011584000000000"  # the moment at which 31 August 2025 ends, as a FILETIME


def by_name(target: ActiveDirectoryTarget, kind: Kind, *arguments: Any) -> dict[str, RemoteObject]:
    """What a read tells of, by the part of its name that a test gave it; deleted objects by their anchors."""
    found = [one for one in target.read(kind, *arguments) if isinstance(one, RemoteObject)]
    return {str(one.attributes.get("sAMAccountName", one.anchor)).partition("-t-")[0]: one for one in found}


def token(target: ActiveDirectoryTarget, kind: Kind) -> ResumeToken:
    """Where a full read ends."""
    *_, last = target.read(kind)
    assert isinstance(last, ResumeToken)
    return last


def test_an_account_is_told_of_in_the_contracts_types(target: Targets, home: Home) -> None:
    """Dates, numbers, lists, and accounts that are pointed at."""
    leder = home.user("leder")
    unit = home.unit("Bygg\\, plan \\+ miljø")
    values = {"displayName": "Åse Ødegård", "proxyAddresses": ["smtp:b@x.no", "SMTP:a@x.no"], "uidNumber": "7"}
    home.user("ase", unit, manager=leder, accountExpires=LAST_OF_AUGUST, **values)
    account = by_name(target(), Kind.ACCOUNT)["ase"]
    assert account.attributes == {
        "sAMAccountName": home.name("ase"),
        "cn": "ase",
        "displayName": "Åse Ødegård",
        "proxyAddresses": ["SMTP:a@x.no", "smtp:b@x.no"],
        "uidNumber": 7,
        "manager": home.name("leder"),
        "accountExpires": "2025-08-31",
        "countryCode": 0,
    }
    assert account.container == unit
    assert (account.enabled, account.protected, account.owner) == (False, False, None)


def test_machines_are_no_accounts(target: Targets, home: Home) -> None:
    """They are users to the directory."""
    home.user("ase")
    machine = {"sAMAccountName": home.name("pc") + "$", "userAccountControl": "4096"}
    assert home.admin.add(f"CN=pc,{home.dn}", "computer", machine)
    assert by_name(target(), Kind.ACCOUNT).keys() == {"ase"}


def test_a_group_is_told_of_with_what_it_is_for(target: Targets, home: Home) -> None:
    """Its scope and its category are words, not bits."""
    home.group("alle")
    home.set(home.group("post"), groupType="8")
    found = by_name(target(), Kind.GROUP)
    kinds = {word: (one.attributes["groupScope"], one.attributes["groupCategory"]) for word, one in found.items()}
    assert kinds == {"alle": ("global", "security"), "post": ("universal", "distribution")}


def test_administrators_are_protected_however_they_are_administrators(target: Targets, home: Home) -> None:
    """By a mark, and by being in a group that is in a group of administrators."""
    marked, nested, plain = home.user("marked"), home.user("nested"), home.user("plain")
    home.set(marked, adminCount="1")
    inner = home.group("inner", "", nested)
    home.group("outer", "", plain)
    administrators = f"CN=Server Operators,CN=Builtin,{BASE_DN}"
    home.link(administrators, add=(inner,))
    try:
        found = by_name(target(), Kind.ACCOUNT) | by_name(target(), Kind.GROUP)
    finally:
        home.link(administrators, remove=(inner,))
    assert {word for word, one in found.items() if one.protected} == {"marked", "nested", "inner"}


def test_only_the_containers_of_the_settings_are_read(target: Targets, home: Home) -> None:
    """Each object once, also where one container is within another."""
    inner, beside = home.unit("Indre"), home.unit("Utenfor")
    home.user("inne", inner)
    home.user("ute", beside)
    assert by_name(target(account_containers=[inner, inner.lower()]), Kind.ACCOUNT).keys() == {"inne"}
    every = list(target(account_containers=[inner, home.dn]).read(Kind.ACCOUNT))
    assert len(every) == 3


@pytest.mark.parametrize("kind", [Kind.ACCOUNT, Kind.GROUP, Kind.MEMBERSHIP, Kind.NESTING])
def test_a_container_that_is_not_there_is_no_empty_one(target: Targets, home: Home, kind: Kind) -> None:
    """It was renamed, or we may not see it: "there is nobody" would be the end of everybody."""
    gone = [f"OU=Borte,{home.dn}"]
    with pytest.raises(AuthenticationFailed, match="OU=Borte"):
        list(target(account_containers=gone, group_containers=gone).read(kind))


def test_more_than_windows_gives_at_once_is_read_page_by_page(
    target: Targets, home: Home, domain_controller: DomainController
) -> None:
    """A search that is not paged ends with an error there, and with silence nowhere."""
    domain_controller.seed(45, home.dn)
    with WindowsLimits(domain_controller, objects=20) as windows:
        small = target(servers=[windows.server], page_size=20)
        assert len(by_name(small, Kind.ACCOUNT)) == 45
        assert len(small.find(Kind.ACCOUNT, {"title": "rådgiver"})) == 45


def test_a_read_that_breaks_off_is_no_short_one(
    target: Targets, home: Home, domain_controller: DomainController
) -> None:
    """Half of a container is an error, not all there is."""
    domain_controller.seed(45, home.dn)
    with WindowsLimits(domain_controller) as windows:
        reading = target(servers=[windows.server], page_size=20).read(Kind.ACCOUNT)
        first = [next(reading) for _ in range(20)]
        windows.break_off()
        with pytest.raises(Unavailable):
            list(reading)
    assert len(first) == 20


def test_changes_are_told_of_attributes_in_use_only(target: Targets, home: Home) -> None:
    """What else changed in an account, its last sign-in among it, is no change."""
    ase, bo = home.user("ase", title="A"), home.user("bo", title="A")
    one = target()
    since = token(one, Kind.ACCOUNT)
    home.set(ase, title=None)
    home.set(bo, comment="x")
    (changed,) = by_name(one, Kind.ACCOUNT, since).values()
    assert (changed.attributes["sAMAccountName"], "title" in changed.attributes) == (home.name("ase"), False)


def test_changes_tell_of_moves_renames_and_deletions(target: Targets, home: Home) -> None:
    """Under the same anchor, wherever an object went to by hand."""
    moved, renamed, deleted = (home.user(word) for word in ("moved", "renamed", "deleted"))
    unit = home.unit("Sluttet")
    one = target()
    before, since = by_name(one, Kind.ACCOUNT), token(one, Kind.ACCOUNT)
    home.move(moved, unit)
    assert home.admin.modify_dn(renamed, "CN=Nytt navn")
    home.delete(deleted)
    after = by_name(one, Kind.ACCOUNT, since)
    assert {item.anchor for item in after.values()} == {item.anchor for item in before.values()}
    assert after["moved"].container == unit
    assert after["renamed"].attributes["cn"] == "Nytt navn"
    assert after[before["deleted"].anchor].deleted


def test_what_leaves_the_containers_of_the_settings_is_gone_and_comes_back(target: Targets, home: Home) -> None:
    """As a full read would have it; strangers who change elsewhere are nobody's concern."""
    inner, beside = home.unit("Indre"), home.unit("Utenfor")
    leaving, stranger = home.user("leaving", inner), home.user("stranger", beside)
    one = target(account_containers=[inner])
    anchor, since = by_name(one, Kind.ACCOUNT)["leaving"].anchor, token(one, Kind.ACCOUNT)
    home.move(leaving, beside)
    home.set(stranger, title="x")
    home.user("newcomer", beside)
    told = by_name(one, Kind.ACCOUNT, since)
    assert {key: item.deleted for key, item in told.items()} == {anchor: True}
    since = token(one, Kind.ACCOUNT)
    home.move(leaving.replace(inner, beside), inner)
    assert [item.anchor for item in by_name(one, Kind.ACCOUNT, since).values()] == [anchor]


def test_a_unit_that_was_renamed_has_everything_read_again(target: Targets, home: Home) -> None:
    """Everything in it is in another container now, and no object changed; a new unit changes nothing."""
    unit = home.unit("Før")
    home.user("ase", unit)
    one = target()
    since = token(one, Kind.ACCOUNT)
    home.unit("Ny")
    assert by_name(one, Kind.ACCOUNT, since) == {}
    assert home.admin.modify_dn(unit, "OU=Etter")
    with pytest.raises(Stale, match="renamed or moved"):
        list(one.read(Kind.ACCOUNT, since))
    assert by_name(one, Kind.ACCOUNT)["ase"].container == f"OU=Etter,{home.dn}"


@pytest.mark.parametrize(
    "spoil",
    [
        lambda parts: [parts[0], "0" * 32, *parts[2:]],  # another domain controller's
        lambda parts: [*parts[:2], "0" * 16, parts[3]],  # of other containers
        lambda parts: ["0", *parts[1:]],  # of another version of this program
        lambda parts: [*parts[:3], "AAAA"],  # no cookie of a domain controller
        lambda parts: [*parts[:3], "å"],
        lambda parts: parts[:3],
    ],
)
def test_a_token_is_good_where_it_came_from_only(
    target: Targets, home: Home, spoil: Callable[[list[str]], list[str]]
) -> None:
    """Numbers of changes mean nothing in another database."""
    home.user("ase")
    one = target()
    good = token(one, Kind.ACCOUNT)
    assert by_name(one, Kind.ACCOUNT, good) == {}
    with pytest.raises(Stale):
        list(one.read(Kind.ACCOUNT, ResumeToken(" ".join(spoil(good.value.split(" "))))))


def test_a_token_is_good_for_one_kind_and_some_containers_only(target: Targets, home: Home) -> None:
    """What was not read before has not merely not changed."""
    unit = home.unit("Indre")
    good = token(target(), Kind.ACCOUNT)
    for other, kind in ((target(), Kind.GROUP), (target(account_containers=[unit]), Kind.ACCOUNT)):
        with pytest.raises(Stale):
            list(other.read(kind, good))


@pytest.mark.parametrize(("type_", "value"), [("int", "x"), ("str", b"\xff\xd8\xff")])
def test_an_attribute_whose_type_is_anothers_is_named(target: Targets, home: Home, type_: str, value: Any) -> None:
    """A picture that the settings call a text is their fault, and no end of the program."""
    attribute = "thumbnailPhoto" if isinstance(value, bytes) else "comment"
    home.user("ase", **{attribute: value})
    with pytest.raises(Rejected) as caught:
        list(target(attributes={attribute: type_}).read(Kind.ACCOUNT))
    assert caught.value.attribute == attribute


@pytest.mark.parametrize("nothing", [None, ""])
def test_who_has_no_value_is_found_by_none(target: Targets, home: Home, nothing: str | None) -> None:
    """An empty text is none: the domain is asked for those without, not for everybody."""
    home.user("ase", title="Rektor")
    home.user("bo")
    (found,) = target().find(Kind.ACCOUNT, {"title": nothing})
    assert found.attributes["sAMAccountName"] == home.name("bo")


def test_letters_that_a_domain_takes_for_the_same_are_told_apart(target: Targets, home: Home) -> None:
    """Windows finds Ase for Åse; a correlation would take one person for another."""
    home.user("ase", displayName="Åse")
    home.user("asa", displayName="Ase")
    (found,) = target().find(Kind.ACCOUNT, {"displayName": "ÅSE"})
    assert found.attributes["sAMAccountName"] == home.name("ase")


def test_objects_are_found_by_values_of_every_type(target: Targets, home: Home) -> None:
    """Lists whole, dates as dates, and accounts by name."""
    leder = home.user("leder")
    values = {"manager": leder, "accountExpires": LAST_OF_AUGUST, "uidNumber": "7"}
    home.user("ase", otherTelephone=["1", "2"], **values)
    one = target()
    for asked in (
        {"otherTelephone": ["2", "1"]},
        {"manager": home.name("leder").upper()},
        {"accountExpires": "2025-08-31"},
        {"uidNumber": 7},
        {"title": None, "uidNumber": 7},
    ):
        assert [found.attributes["sAMAccountName"] for found in one.find(Kind.ACCOUNT, asked)] == [home.name("ase")]
    for asked in ({"otherTelephone": ["1"]}, {"manager": "ingen"}, {"uidNumber": 8}):
        assert not one.find(Kind.ACCOUNT, asked)


@pytest.mark.parametrize("name", ["extensionAttribute1", "unicodePwd", "groupScope"])
def test_what_cannot_be_searched_is_no_empty_answer(target: Targets, name: str) -> None:
    """An attribute that the domain's schema has not, one that is never used, and one that is made of bits."""
    with pytest.raises(Rejected) as caught:
        target().find(Kind.GROUP if name == "groupScope" else Kind.ACCOUNT, {name: "global"})
    assert caught.value.attribute == name


def test_a_scope_is_its_outermost_containers() -> None:
    """Or else the domain."""
    inner, outer = "OU=A,OU=B,DC=no", "ou=b,DC=no"
    assert Scope.of((inner, outer), "DC=no").containers == (outer,)
    assert Scope.of((), "DC=no").containers == ("DC=no",)
    assert Scope.of((inner,), "DC=no").holds("CN=x,ou=a,OU=B,DC=no")
    assert not Scope.of((inner,), "DC=no").holds("CN=x,OU=B,DC=no")


def test_what_is_found_is_told_of_as_what_is_read(target: Targets, home: Home) -> None:
    """All attributes, and whom they point at by the name."""
    home.user("ase", manager=home.user("leder"), title="Rådgiver")
    one = target()
    (found,) = one.find(Kind.ACCOUNT, {"sAMAccountName": home.name("ase")})
    assert found.attributes["manager"] == home.name("leder")
    assert found == by_name(one, Kind.ACCOUNT)["ase"]


def test_a_password_is_used_when_somebody_signs_in_with_it(
    target: Targets, home: Home, domain_controller: DomainController
) -> None:
    """Not by being set, and not while another one has to be chosen first; one that is replaced is a new one."""
    one = target()
    first, second = Password("Hest-Fjell-4827", must_change=False), Password("Kaffe-Fjell-4827")
    create = Operation("1", Kind.ACCOUNT, Action.CREATE, attributes={"sAMAccountName": home.name("ase")}, enabled=True)
    (made,) = one.apply([msgspec.structs.replace(create, password=first)])
    assert not by_name(one, Kind.ACCOUNT)["ase"].password_used

    with domain_controller.administrator() as other:
        other.unbind()
        assert other.rebind(f"EADM\\{home.name('ase')}", first.value)
    assert by_name(one, Kind.ACCOUNT)["ase"].password_used

    update = Operation("2", Kind.ACCOUNT, Action.UPDATE, anchor=made.anchor, password=second)
    assert [outcome.error for outcome in one.apply([update])] == [None]
    assert not by_name(one, Kind.ACCOUNT)["ase"].password_used


def test_everybody_can_read_what_is_not_marked_as_confidential(target: Targets) -> None:
    """So that a national id in clear is warned of."""
    assert "employeeID" in target().capabilities.world_readable
    assert "employeeID" not in target(confidential_attributes=["EmployeeId"]).capabilities.world_readable
