"""Who and what is in which group."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from connectors.active_directory import ActiveDirectoryTarget
from connectors.contract import Kind, RemoteObject, ResumeToken
from connectors.errors import Stale
from tests.connectors.active_directory.conftest import Home
from tests.samba import BASE_DN, DomainController
from tests.services.samba.windows import WindowsLimits

Targets = Callable[..., ActiveDirectoryTarget]


def names(target: ActiveDirectoryTarget) -> dict[str, str]:
    """The word that a test gave each account and each group, by anchor."""
    return {
        one.anchor: str(one.attributes["cn"])
        for kind in (Kind.ACCOUNT, Kind.GROUP)
        for one in target.read(kind)
        if isinstance(one, RemoteObject)
    }


def links(target: ActiveDirectoryTarget, kind: Kind, *arguments: Any) -> dict[tuple[str, str], bool]:
    """Group and member by their words → whether the link stands."""
    words = names(target)
    found = [one for one in target.read(kind, *arguments) if isinstance(one, RemoteObject)]
    assert len({one.anchor for one in found}) == len(found)
    return {(words[str(one.group)], words[str(one.account or one.member)]): not one.deleted for one in found}


def token(target: ActiveDirectoryTarget, kind: Kind) -> ResumeToken:
    """Where a full read ends."""
    *_, last = target.read(kind)
    assert isinstance(last, ResumeToken)
    return last


def test_accounts_and_groups_in_one_group_are_told_apart(target: Targets, home: Home) -> None:
    """Machines, contacts and whatever is not read are neither."""
    ase, inner = home.user("ase"), home.group("inner")
    beside = home.user("beside", home.unit("Utenfor"))
    home.group("outer", "", ase, inner, beside, f"CN=Guest,CN=Users,{BASE_DN}")
    one = target()
    assert links(one, Kind.MEMBERSHIP) == {("outer", "ase"): True, ("outer", "beside"): True}
    assert links(one, Kind.NESTING) == {("outer", "inner"): True}


def test_who_has_a_group_for_its_primary_group_is_in_it(target: Targets, home: Home) -> None:
    """Though it is not listed; the former one lists it."""
    ase = home.user("ase")
    group = home.group("primary", "", ase)
    home.admin.search(group, "(objectClass=*)", "BASE", attributes=["objectSid"])
    rid = int.from_bytes(home.admin.entries[0].objectSid.raw_values[0][-4:], "little")
    one = target()
    since = token(one, Kind.MEMBERSHIP)
    home.set(ase, primaryGroupID=str(rid))
    assert links(one, Kind.MEMBERSHIP) == {("primary", "ase"): True}
    assert links(one, Kind.MEMBERSHIP, since) == {("primary", "ase"): True}


def test_a_group_of_more_than_windows_gives_at_once_is_read_whole(
    target: Targets, home: Home, domain_controller: DomainController
) -> None:
    """A part at a time, to the last: here 30 of 130, there 1500 of 13 000."""
    domain_controller.seed(130, home.dn)
    home.admin.extend.standard.paged_search(home.dn, "(objectClass=user)", attributes=["1.1"], generator=False)
    members = [
        entry["dn"]
        for entry in home.admin.extend.standard.paged_search(home.dn, "(objectClass=user)", attributes=["cn"])
        if entry["type"] == "searchResEntry"
    ]
    home.group("alle", "", *members)
    home.group("noen", "", *members[:30])  # exactly as many as there are given at once
    with WindowsLimits(domain_controller, values=30) as windows:
        found = links(target(servers=[windows.server], page_size=50), Kind.MEMBERSHIP)
    assert len(found) == len(members) + 30 == 160


def test_changes_tell_of_single_links(target: Targets, home: Home) -> None:
    """Of those that came and of those that went, the last word on each; not of those that stay."""
    ase, bo, eli, inner = home.user("ase"), home.user("bo"), home.user("eli"), home.group("inner")
    group = home.group("group", "", ase, bo)
    one = target()
    since = token(one, Kind.MEMBERSHIP)
    home.link(group, add=(eli, inner), remove=(bo,))
    home.link(group, remove=(eli,))
    home.link(group, add=(eli,))
    assert links(one, Kind.MEMBERSHIP, since) == {("group", "bo"): False, ("group", "eli"): True}
    assert links(one, Kind.MEMBERSHIP, token(one, Kind.MEMBERSHIP)) == {}


def test_new_accounts_and_groups_are_told_of_with_their_links(target: Targets, home: Home) -> None:
    """Whatever was made since."""
    one = target()
    tokens = {kind: token(one, kind) for kind in (Kind.MEMBERSHIP, Kind.NESTING)}
    home.group("outer", "", home.user("ase"), home.group("inner"))
    assert links(one, Kind.MEMBERSHIP, tokens[Kind.MEMBERSHIP]) == {("outer", "ase"): True}
    assert links(one, Kind.NESTING, tokens[Kind.NESTING]) == {("outer", "inner"): True}


@pytest.mark.parametrize("gone", ["user", "group"])
def test_what_went_with_an_object_has_everything_read_again(target: Targets, home: Home, gone: str) -> None:
    """A domain does not tell which groups a deleted account was in, nor who was in a deleted group."""
    ase = home.user("ase")
    group = home.group("group", "", ase)
    one = target()
    since = token(one, Kind.MEMBERSHIP)
    home.delete(ase if gone == "user" else group)
    with pytest.raises(Stale, match="deleted"):
        list(one.read(Kind.MEMBERSHIP, since))
    assert links(one, Kind.MEMBERSHIP) == {}


def test_what_was_deleted_elsewhere_is_nobodys_concern(target: Targets, home: Home) -> None:
    """A domain has other containers, and others who work there."""
    inner, beside = home.unit("Indre"), home.user("beside", home.unit("Utenfor"))
    one = target(account_containers=[inner], group_containers=[inner])
    since = token(one, Kind.MEMBERSHIP)
    home.delete(beside)
    assert links(one, Kind.MEMBERSHIP, since) == {}


def test_what_may_have_come_into_sight_has_everything_read_again(target: Targets, home: Home) -> None:
    """An account that was moved in brings its memberships along, which did not change."""
    inner, moving = home.unit("Indre"), home.user("moving", home.unit("Utenfor"))
    home.group("group", inner, moving)
    one = target(account_containers=[inner], group_containers=[inner])
    since = token(one, Kind.MEMBERSHIP)
    home.move(moving, inner)
    with pytest.raises(Stale, match="moved"):
        list(one.read(Kind.MEMBERSHIP, since))
    assert links(one, Kind.MEMBERSHIP) == {("group", "moving"): True}
