"""Organisational units, groups, members and settings of the local Google service, asked by Google's own client."""

from __future__ import annotations

from typing import Any

import pytest

from tests.services.google.client import Google, refusal


def _unit(google: Google, name: str, parent: str = "/") -> dict[str, Any]:
    body = {"name": name, "parentOrgUnitPath": parent}
    return dict(google.units.insert(customerId="my_customer", body=body).execute())


def test_units_are_made_parents_first(google: Google):
    """A parent that is not there and a name that is taken are "Invalid ... Id"s; case does not matter."""
    body = {"name": "Elever", "parentOrgUnitPath": "/Skole"}
    orphan = refusal(google.units.insert(customerId="my_customer", body=body))
    _unit(google, "Skole")
    made = _unit(google, "Elever", "/Skole")
    taken = refusal(google.units.insert(customerId="my_customer", body={**body, "name": "ELEVER"}))
    read = google.units.get(customerId="my_customer", orgUnitPath="skole/elever").execute()

    assert orphan == (400, "invalid", "Invalid Parent Orgunit Id")
    assert taken == (400, "invalid", "Invalid Ou Id")
    assert (made["orgUnitPath"], read["orgUnitId"]) == ("/Skole/Elever", made["orgUnitId"])
    assert refusal(google.units.get(customerId="my_customer", orgUnitPath="Barnehage"))[0] == 404


def test_a_unit_takes_everybody_along_when_it_moves(google: Google):
    """Units and users beneath it; it cannot move into itself."""
    _unit(google, "Skole")
    _unit(google, "Elever", "/Skole")
    _unit(google, "Trinn 1", "/Skole/Elever")
    _unit(google, "Arkiv")
    google.make_user("kari", orgUnitPath="/Skole/Elever/Trinn 1")

    def move(parent: str) -> Any:
        body = {"parentOrgUnitPath": parent}
        return google.units.update(customerId="my_customer", orgUnitPath="Skole/Elever", body=body)

    circle = refusal(move("/Skole/Elever/Trinn 1"))
    move("/Arkiv").execute()

    every = google.units.list(customerId="my_customer", type="all").execute()["organizationUnits"]
    below = google.units.list(customerId="my_customer", orgUnitPath="/Arkiv").execute()["organizationUnits"]
    assert circle[0] == 400
    assert google.users.get(userKey="kari@kommune.example").execute()["orgUnitPath"] == "/Arkiv/Elever/Trinn 1"
    assert [one["orgUnitPath"] for one in every] == ["/Skole", "/Arkiv", "/Arkiv/Elever", "/Arkiv/Elever/Trinn 1"]
    assert [one["orgUnitPath"] for one in below] == ["/Arkiv/Elever"]


def test_only_an_empty_unit_can_be_deleted(google: Google):
    """Deleted users do not count."""
    _unit(google, "Skole")
    google.make_user("kari", orgUnitPath="/Skole")
    deletion = google.units.delete(customerId="my_customer", orgUnitPath="Skole")

    used = refusal(deletion)
    google.users.delete(userKey="kari@kommune.example").execute()

    assert used[:2] == (412, "conditionNotMet")
    assert refusal(deletion)[0] == 200
    assert google.service.contents()["units"] == ["/"]


def test_groups_are_made_renamed_and_deleted(google: Google):
    """A former address stays as an alias, and users and groups share addresses."""
    key = google.make_group("laerere")
    google.groups.patch(groupKey=key, body={"email": "ansatte@skole.example", "name": "Ansatte"}).execute()
    taken = refusal(google.groups.insert(body={"email": "laerere@kommune.example"}))
    group = google.groups.get(groupKey="laerere@kommune.example").execute()
    listed = google.groups.list(customer="my_customer").execute()["groups"]
    google.groups.delete(groupKey=key).execute()

    assert taken[:2] == (409, "duplicate")
    assert (group["id"], group["email"], group["name"]) == (key, "ansatte@skole.example", "Ansatte")
    assert [one["aliases"] for one in listed] == [["laerere@kommune.example"]]
    assert refusal(google.groups.get(groupKey=key)) == (404, "notFound", "Resource Not Found: groupKey")


def test_members_have_roles(google: Google):
    """Which can be changed, and asked for."""
    google.make_user("kari")
    google.make_user("ola", suspended=True)
    key = google.make_group("laerere", "kari@kommune.example", "ola@kommune.example")
    google.members.patch(groupKey=key, memberKey="kari@kommune.example", body={"role": "OWNER"}).execute()

    owners = google.members.list(groupKey=key, roles="OWNER,MANAGER").execute()["members"]
    every = google.members.list(groupKey=key).execute()["members"]

    assert [one["email"] for one in owners] == ["kari@kommune.example"]
    assert {one["email"]: one["status"] for one in every} == {
        "kari@kommune.example": "ACTIVE",
        "ola@kommune.example": "SUSPENDED",
    }
    assert google.groups.get(groupKey=key).execute()["directMembersCount"] == "2"
    assert "members" not in google.members.list(groupKey=key, roles="MANAGER").execute()


def test_addresses_that_nobody_has_are_told_apart(google: Google):
    """Unknown at home, external, already there, none at all, and no address."""
    google.make_user("kari")
    key = google.make_group("laerere", "kari@kommune.example")

    def add(**body: str) -> tuple[int, str, str]:
        return refusal(google.members.insert(groupKey=key, body=body))

    assert add(email="nobody@kommune.example") == (404, "notFound", "Resource Not Found: memberKey")
    assert add(id="123") == (404, "notFound", "Resource Not Found: memberKey")
    assert add(email="kari@kommune.example") == (409, "duplicate", "Member already exists.")
    assert add(role="MEMBER") == (400, "required", "Missing required field: memberKey")
    assert add(email="no address@") == (400, "invalid", "Invalid Input: memberKey")
    assert add(email="guest@annet.example")[0] == 200
    assert add(email="guest@annet.example")[0] == 409
    removal = google.members.delete(groupKey=key, memberKey="nobody@kommune.example")
    assert refusal(removal) == (404, "notFound", "Resource Not Found: memberKey")
    assert google.members.get(groupKey=key, memberKey="guest@annet.example").execute()["type"] == "USER"
    assert refusal(google.members.hasMember(groupKey=key, memberKey="guest@annet.example"))[0] == 400


def test_groups_in_groups(google: Google):
    """Members of members are found; a circle is refused; the group that is deleted is a member no more."""
    google.make_user("kari")
    inner = google.make_group("trinn1", "kari@kommune.example")
    outer = google.make_group("skolen", "trinn1@kommune.example")

    has = google.members.hasMember(groupKey=outer, memberKey="kari@kommune.example").execute()
    derived = google.members.list(groupKey=outer, includeDerivedMembership=True).execute()["members"]
    circle = refusal(google.members.insert(groupKey=inner, body={"email": "skolen@kommune.example"}))
    of_inner = google.groups.list(userKey="trinn1@kommune.example").execute()["groups"]
    google.groups.delete(groupKey=inner).execute()

    assert has == {"isMember": True}
    assert {one["type"] for one in derived} == {"USER", "GROUP"}
    assert circle == (412, "conditionNotMet", "Cyclic memberships not allowed.")
    assert [one["id"] for one in of_inner] == [outer]
    assert google.service.contents()["groups"][outer]["members"] == {}


def test_large_groups_come_in_pages(google: Google):
    """Of 200 at most, however many were asked for."""
    users, (group,) = google.service.seed(users=450, groups=1, groups_each=1)
    request = google.members.list(groupKey=group, maxResults=1000)
    sizes, seen = [], set()
    while request is not None:
        answer = request.execute()
        sizes.append(len(answer["members"]))
        seen |= {one["id"] for one in answer["members"]}
        request = google.members.list_next(request, answer)

    assert sizes == [200, 200, 50]
    assert seen == set(users)


def test_settings_of_a_group_are_text(google: Google):
    """PATCH changes what it names, PUT begins from the defaults; values are those of the documentation."""
    google.make_group("laerere")
    groups = google.settings.groups()

    def patch(**body: object) -> Any:
        return groups.patch(groupUniqueId="laerere@kommune.example", body=body)

    before = groups.get(groupUniqueId="laerere@kommune.example").execute()
    patch(whoCanJoin="INVITED_CAN_JOIN", allowExternalMembers="true").execute()
    after = patch(whoCanPostMessage="ALL_MEMBERS_CAN_POST").execute()
    anew = groups.update(groupUniqueId="laerere@kommune.example", body={"isArchived": "true"}).execute()

    assert (before["whoCanJoin"], before["allowExternalMembers"]) == ("CAN_REQUEST_TO_JOIN", "false")
    assert (after["whoCanJoin"], after["whoCanPostMessage"]) == ("INVITED_CAN_JOIN", "ALL_MEMBERS_CAN_POST")
    assert (anew["whoCanJoin"], anew["isArchived"]) == ("CAN_REQUEST_TO_JOIN", "true")
    assert refusal(patch(whoCanJoin="EVERYBODY"))[0] == 400
    assert refusal(patch(allowExternalMembers=True))[0] == 400
    assert refusal(groups.get(groupUniqueId="nobody@kommune.example"))[0] == 404


@pytest.mark.parametrize("kind", ["users", "groups"])
def test_aliases_of_both_kinds(google: Google, kind: str):
    """Made, listed, taken, and gone."""
    google.make_user("users")
    google.make_group("groups")
    place = {f"{kind.rstrip('s')}Key": f"{kind}@kommune.example"}
    aliases = getattr(google, kind).aliases()
    aliases.insert(**place, body={"alias": "post@skole.example"}).execute()

    listed = aliases.list(**place).execute()["aliases"]

    assert [one["alias"] for one in listed] == ["post@skole.example"]
    assert refusal(aliases.insert(**place, body={"alias": "post@skole.example"}))[0] == 409
    aliases.delete(**place, alias="post@skole.example").execute()
    assert "aliases" not in aliases.list(**place).execute()
