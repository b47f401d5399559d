"""Users of the local Google service, asked by Google's own client."""

from __future__ import annotations

from contextlib import closing
from typing import Any

import pytest

from tests.services.google.client import Google, refusal
from tests.services.google.config import SCOPE, SUFFICIENT_SCOPES, Config
from tests.services.google.control import GoogleService

PERSON = {"name": {"givenName": "Kari", "familyName": "Moen"}, "password": "hemmelig1"}


def test_a_user_is_made_read_and_changed(google: Google):
    """By id, address and alias; what is not named stays, null clears."""
    made = google.make_user("kari", externalIds=[{"type": "organization", "value": "17"}], recoveryPhone="+4799999999")
    body = {"name": {"familyName": "Lie"}, "externalIds": None, "recoveryPhone": None, "suspended": True}
    google.users.update(userKey=made["id"], body=body).execute()

    user = google.users.get(userKey="kari@kommune.example").execute()

    assert made["orgUnitPath"] == "/"
    assert user["name"] == {"givenName": "Kari", "familyName": "Lie", "fullName": "Kari Lie"}
    assert "externalIds" not in user
    assert "recoveryPhone" not in user
    assert (user["suspended"], user["suspensionReason"]) == (True, "ADMIN")
    assert "password" not in user


def test_patch_cannot_clear_lists_of_objects(google: Google):
    """As its documentation says; other values it clears."""
    google.make_user("kari", phones=[{"type": "work", "value": "1"}], recoveryPhone="+4799999999")

    user = google.users.patch(userKey="kari@kommune.example", body={"phones": [], "recoveryPhone": None}).execute()

    assert user["phones"] == [{"type": "work", "value": "1"}]
    assert "recoveryPhone" not in user


@pytest.mark.parametrize(
    ("changes", "status", "message"),
    [
        ({"primaryEmail": "kari@annet.example"}, 403, "Not Authorized"),  # no domain of the customer's
        ({"primaryEmail": "ka ri@kommune.example"}, 400, "primary_user_email"),
        ({"primaryEmail": "admin@kommune.example"}, 409, "Entity already exists."),
        ({"name": {"givenName": "Kari"}}, 400, "FamilyName"),
        ({"name": {"givenName": "K" * 41, "familyName": "M"}}, 400, "GivenName"),
        ({"password": "kort"}, 400, "Invalid Password"),
        ({"password": None}, 400, "Invalid Password"),
        ({"password": "hemmelig1", "hashFunction": "MD5"}, 400, "Invalid Password"),  # is none
        ({"password": "$6$rounds=20000$salt$" + "a" * 86, "hashFunction": "crypt"}, 400, "Invalid Password"),
        ({"password": "a" * 64, "hashFunction": "SHA-256"}, 400, "hashFunction"),
        ({"orgUnitPath": "/Skole"}, 400, "INVALID_OU_ID"),
        ({"customSchemas": {"hr": {"unit": "x"}}}, 400, "custom_schema"),
    ],
)
def test_what_cannot_be_is_refused(google: Google, changes: dict[str, Any], status: int, message: str):
    """And nobody is made."""
    body = {"primaryEmail": "kari@kommune.example", **PERSON, **changes}

    told = refusal(google.users.insert(body=body))

    assert told[0] == status
    assert message in told[2]
    assert len(google.service.contents()["users"]) == 1


@pytest.mark.parametrize(
    ("password", "function"),
    [
        ("5f4dcc3b5aa765d61d8327deb882cf99", "MD5"),
        ("a" * 40, "SHA-1"),
        ("$6$rounds=5000$salt$" + "a" * 86, "crypt"),
    ],
)
def test_hashes_are_taken_in_the_forms_that_google_knows(google: Google, password: str, function: str):
    """Unsalted ones, or crypt's."""
    google.make_user("kari", password=password, hashFunction=function)

    stored = google.service.contents()["users"].values()

    assert password in {one.get("_password") for one in stored}


def test_a_rename_leaves_the_old_address_as_an_alias(google: Google):
    """Which is taken, answers, and can be removed."""
    key = google.make_user("kari")["id"]
    renamed = google.users.update(userKey=key, body={"primaryEmail": "kari.lie@kommune.example"}).execute()
    taken = refusal(google.users.insert(body={"primaryEmail": "kari@kommune.example", **PERSON}))
    found = google.users.get(userKey="kari@kommune.example").execute()["id"]
    google.users.aliases().delete(userKey=key, alias="kari@kommune.example").execute()

    assert renamed["aliases"] == ["kari@kommune.example"]
    assert taken[:2] == (409, "duplicate")
    assert found == key
    assert "aliases" not in google.users.get(userKey=key).execute()
    assert refusal(google.users.aliases().delete(userKey=key, alias="kari@kommune.example"))[0] == 400


def test_a_deleted_user_comes_back_within_20_days_by_its_id(google: Google):
    """With what it was, but without groups and licences; its address may be somebody else's by then."""
    key = google.make_user("kari", orgUnitPath="/")["id"]
    other = google.make_user("ola")["id"]
    for one in (key, other):
        google.users.delete(userKey=one).execute()
    listed = google.users.list(customer="my_customer", showDeleted="true").execute()["users"]
    google.make_user("ola")

    google.users.undelete(userKey=key, body={"orgUnitPath": "/"}).execute()

    assert {one["id"] for one in listed} == {key, other}
    assert all(one["deletionTime"] for one in listed)
    assert google.users.get(userKey="kari@kommune.example").execute()["id"] == key
    assert refusal(google.users.undelete(userKey=other, body={}))[:2] == (409, "duplicate")
    google.service.forward(days=21)
    assert refusal(google.users.undelete(userKey=other, body={}))[:2] == (404, "notFound")


def test_a_new_user_is_not_complete_at_once(google: Google):
    """Unseen, then not to be changed, then as any other; a rename takes its time too."""
    google.service.empty(Config(visible_seconds=5, creation_seconds=60, rename_seconds=600))
    key = google.make_user("kari")["id"]
    rename = google.users.update(userKey=key, body={"primaryEmail": "kari.lie@kommune.example"})

    unseen = refusal(google.users.get(userKey=key))
    google.service.forward(seconds=10)
    early = refusal(rename)
    google.service.forward(seconds=60)
    rename.execute()
    again = refusal(rename)
    google.service.forward(seconds=600)

    assert unseen[:2] == (404, "notFound")
    assert early == (412, "conditionNotMet", "User creation is not complete.")
    assert again[:2] == (409, "conflict")
    assert rename.execute()["primaryEmail"] == "kari.lie@kommune.example"


def test_custom_schemas_hold_what_they_say(google: Google):
    """Shown when asked for; a field that is null is cleared, a value of another type refused."""
    fields = [{"fieldName": "number", "fieldType": "INT64"}, {"fieldName": "codes", "fieldType": "STRING",
              "multiValued": True}]  # fmt: skip
    scopes = [*SUFFICIENT_SCOPES, SCOPE + "admin.directory.userschema"]
    google.service.empty(Config(scopes=scopes))
    with closing(Google(google.service, scopes=scopes)) as more:
        body = {"schemaName": "hr", "fields": fields}
        more.directory.schemas().insert(customerId="my_customer", body=body).execute()
        taken = refusal(more.directory.schemas().insert(customerId="my_customer", body=body))
    key = google.make_user("kari", customSchemas={"hr": {"number": "17", "codes": [{"value": "a"}]}})["id"]
    google.users.update(userKey=key, body={"customSchemas": {"hr": {"codes": None}}}).execute()

    assert taken[0] == 409
    assert "customSchemas" not in google.users.get(userKey=key).execute()
    full = google.users.get(userKey=key, projection="full").execute()
    assert full["customSchemas"] == {"hr": {"number": "17"}}
    assert google.find("hr.number=17") == ["kari@kommune.example"]
    assert refusal(google.users.update(userKey=key, body={"customSchemas": {"hr": {"number": "x"}}}))[0] == 400


def test_lists_come_in_pages_that_changes_do_not_shift(google: Google):
    """Nobody is left out or comes twice who was there all the time; fields are as asked for."""
    google.service.seed(users=25)
    question = {
        "customer": "my_customer",
        "maxResults": 10,
        "fields": "nextPageToken,users(primaryEmail,name/givenName)",
    }
    page = google.users.list(**question).execute()
    google.users.delete(userKey=page["users"][1]["primaryEmail"]).execute()
    seen = page["users"]
    while "nextPageToken" in page:
        page = google.users.list(pageToken=page["nextPageToken"], **question).execute()
        seen += page["users"]

    assert len(seen) == 26
    assert len({one["primaryEmail"] for one in seen}) == 26
    assert set(seen[3]) == {"primaryEmail", "name"}
    assert set(seen[3]["name"]) == {"givenName"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("email:kari*", {"kari"}),
        ("email=kari.gammel@kommune.example", {"kari"}),  # an alias
        ("familyName='Å Lie'", {"ola"}),
        ("isSuspended=true", {"ola"}),
        ("isAdmin=true", {"admin"}),
        ("orgUnitPath=/Skole", {"kari", "ola"}),  # those beneath too
        ("orgUnitPath='/Skole/Elever' isSuspended=true", {"ola"}),
        ("externalId=17", {"kari"}),
        ("orgDepartment:Skole", {"kari"}),
        ("directManager='ola@kommune.example'", {"kari"}),
        ("email:nobody*", set()),
    ],
)
def test_queries_are_understood(google: Google, query: str, found: set[str]):
    """Those of the documentation that provisioning needs."""
    google.service.unit("/Skole/Elever")
    google.make_user(
        "kari", orgUnitPath="/Skole", externalIds=[{"type": "organization", "value": "17"}],
        organizations=[{"department": "Skolen"}], relations=[{"type": "manager", "value": "ola@kommune.example"}],
    )  # fmt: skip
    body = {"alias": "kari.gammel@kommune.example"}
    google.users.aliases().insert(userKey="kari@kommune.example", body=body).execute()
    google.make_user(
        "ola", orgUnitPath="/Skole/Elever", suspended=True, name={"givenName": "Ola", "familyName": "Å Lie"}
    )

    assert {one.partition("@")[0] for one in google.find(query)} == found


def test_what_google_answers_to_bad_questions(google: Google):
    """With a 400 each time."""
    questions = [
        google.users.list(),  # of whom?
        google.users.list(customer="C0other"),
        google.users.list(customer="my_customer", query="colour=red"),
        google.users.list(customer="my_customer", query="email"),
        google.users.list(customer="my_customer", maxResults=501),
        google.users.list(customer="my_customer", pageToken="x"),
        google.users.list(customer="my_customer", fields="users(primaryMail)"),
        google.users.list(customer="my_customer", fields="users(id"),
        google.users.get(userKey="admin@kommune.example", projection="custom"),
    ]

    assert {refusal(one)[0] for one in questions} == {400}


def test_sign_out_and_administrators(google: Google):
    """Sessions end; nobody is made an administrator; who is one stands in the roles too."""
    key = google.make_user("kari")["id"]
    google.users.signOut(userKey=key).execute()
    refused = refusal(google.users.makeAdmin(userKey=key, body={"status": True}))
    roles = google.directory.roles().list(customer="my_customer").execute()["items"]
    assigned = google.directory.roleAssignments().list(customer="my_customer", roleId=roles[0]["roleId"]).execute()

    assert google.service.contents()["users"][key]["_signOuts"] == 1
    assert refused[0] == 403
    assert [one["isSuperAdminRole"] for one in roles] == [True]
    assert [one["assignedTo"] for one in assigned["items"]] == [google.admin_id()]


def test_an_answer_that_is_known_is_not_sent_again(google: Google, google_process: GoogleService):
    """An ETag is the same until something changes."""
    key = google.make_user("kari")["id"]
    tag = google.users.get(userKey=key).execute()["etag"]

    def ask() -> int:
        request = google.users.get(userKey=key)
        request.headers["if-none-match"] = tag
        return refusal(request)[0]

    first = ask()
    google.users.update(userKey=key, body={"suspended": True}).execute()

    assert first == 304
    assert ask() == 200
    assert google_process.counters()["http_status_304"] == 1
