"""What is asked of a domain with a recycle bin: Samba has none, so its answers are played here.

[MS-ADTS] 3.1.1.5.5 and "Active Directory Recycle Bin": a deleted object keeps its attributes and stands among the
deleted ones; deleted again, it is recycled and cannot come back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import pytest

from connectors.active_directory.accounts import Accounts
from connectors.active_directory.ber import (
    SHOW_DELETED,
    Answer,
    Change,
    Delete,
    Entry,
    How,
    Modify,
    Request,
    Search,
    equals,
)
from connectors.active_directory.look import Look, Seen
from connectors.active_directory.namesakes import Claims
from connectors.active_directory.objects import Situation
from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.settings import password_rules_of, rules_of
from connectors.contract import Action, Kind, Operation, Outcome
from connectors.errors import AlreadyExists, ConnectorError, NotFound, Protected, Rejected, Unavailable

BASE, HOME = "DC=eadm,DC=test", "OU=Home,DC=eadm,DC=test"
ANCHOR = UUID("00112233-4455-6677-8899-aabbccddeeff")
LIVE, BURIED = f"CN=Kari,{HOME}", f"CN=Kari\\0ADEL:{ANCHOR},CN=Deleted Objects,{BASE}"


@dataclass
class Bin:
    """A domain controller with a recycle bin and one account.

    Attributes:
        state: "live", "deleted", "recycled" or "gone".
        owner_has_another: Whether a search by the account's mark finds somebody else.
        taken: Whether the account's name is taken where it was.
        code: Of what changes anything.
        admin: Whether it was an administrator's.
        parent: Where it was.
        control: Its userAccountControl: 514 is disabled, 512 enabled.
        groups: Of which it is a member, by the name that it has once it is back.
        asked: The requests, in their order.
    """

    state: str = "live"
    owner_has_another: bool = False
    taken: bool = False
    code: int = 0
    admin: bool = False
    parent: str = HOME
    control: int = 514
    groups: Mapping[str, Sequence[UUID]] = field(default_factory=dict)
    asked: list[Request] = field(default_factory=list)

    def answer(self, request: Request) -> Answer:
        """What Windows would answer."""
        self.asked.append(request)
        if isinstance(request, Search):
            return Answer(0, entries=self._found(request))
        if self.code:
            return Answer(self.code)
        if isinstance(request, Delete):
            self.state = {"live": "deleted", "deleted": "recycled"}[self.state]
        elif isinstance(request, Modify) and request.changes[-1].attribute == "userAccountControl":
            self.control = int(request.changes[-1].values[0])
        elif self.taken and b"CN=Kari," in self._place(request):
            return Answer(68)
        else:
            self.state = "live"
        return Answer(0)

    @property
    def changed(self) -> list[Request]:
        """The requests that change anything."""
        return [one for one in self.asked if not isinstance(one, Search)]

    def _found(self, request: Search) -> Sequence[Entry]:
        if request.attributes == ["objectGUID"]:
            groups = [
                one for name, some in self.groups.items() if request.filter == equals("member", name) for one in some
            ]
            return [Entry("CN=Some group", {"objectGUID": [one.bytes_le]}) for one in groups]
        if b"msDS-cloudExtensionAttribute1" in request.filter:
            return [Entry("CN=Other", {})] if self.owner_has_another else []
        if SHOW_DELETED not in request.controls:
            return [Entry(LIVE, {"cn": [b"Kari"]})] if self.taken else []
        return [] if self.state == "gone" else [Entry(BURIED, self._attributes())]

    def _attributes(self) -> Mapping[str, list[bytes]]:
        kept = {"msDS-cloudExtensionAttribute1": [b"owner"]} if self.state == "deleted" else {"isRecycled": [b"TRUE"]}
        name = {"cn": [f"Kari\nDEL:{ANCHOR}".encode()], "msDS-LastKnownRDN": [b"Kari"]}
        admin = {"adminCount": [b"1"]} if self.admin else {}
        control = {"userAccountControl": [b"%d" % self.control]}
        return {"isDeleted": [b"TRUE"], "lastKnownParent": [self.parent.encode()], **name, **kept, **admin, **control}

    @staticmethod
    def _place(request: Request) -> bytes:
        assert isinstance(request, Modify)
        return bytes(request.changes[1].values[0])


def do(bin_: Bin, action: Action, **fields: object) -> Outcome | ConnectorError:
    """The outcome of one operation on the account."""
    options = ActiveDirectoryOptions(servers=("dc",), user="u", password="p")  # type: ignore[arg-type]
    seen = Seen(str(ANCHOR), LIVE, Kind.ACCOUNT, "kari", bin_.control, 0, "owner", "", locked=False, protected=None)
    look = Look({str(ANCHOR): seen} if bin_.state == "live" else {}, {}, {}, {})
    rules = rules_of(options, BASE)[Kind.ACCOUNT]
    situation = Situation(
        rules, BASE, look, {}, None, password_rules_of(options), random_password=True, claims=Claims()
    )
    operation = Operation("1", Kind.ACCOUNT, action, anchor=str(ANCHOR), **fields)  # type: ignore[arg-type]
    chain = Accounts(situation, recycle_bin=True).chain(operation)
    try:
        request = next(chain)
        while True:
            request = chain.send(bin_.answer(request))
    except StopIteration as end:
        outcome: Outcome = end.value
        return outcome
    except ConnectorError as error:
        return error


def test_a_delete_leaves_the_account_in_the_bin() -> None:
    """One request; repeated, it finds the account gone from where it was."""
    bin_ = Bin()
    assert do(bin_, Action.DELETE) == Outcome("1", None, str(ANCHOR))
    assert do(bin_, Action.DELETE) == Outcome("1", None, str(ANCHOR))
    assert bin_.state == "deleted"


def test_a_permanent_delete_empties_the_bin() -> None:
    """The second delete names the deleted object and asks for deleted ones to be seen; repeated, it does nothing."""
    bin_ = Bin()
    assert do(bin_, Action.DELETE, permanent=True) == Outcome("1", None, str(ANCHOR))
    assert bin_.state == "recycled"
    assert [one for one in bin_.asked if isinstance(one, Delete)][1:] == [Delete(BURIED, (SHOW_DELETED,))]
    assert do(bin_, Action.DELETE, permanent=True) == Outcome("1", None, str(ANCHOR))


def test_what_was_deleted_first_can_be_deleted_for_good_later() -> None:
    """As retention has it."""
    bin_ = Bin("deleted")
    assert do(bin_, Action.DELETE, permanent=True) == Outcome("1", None, str(ANCHOR))
    assert bin_.state == "recycled"


def test_a_restored_account_is_back_where_it_was_as_it_was() -> None:
    """One modify ends the deletion and names the place ([MS-ADTS] 3.1.1.5.3.7); nothing is disabled, nobody warned."""
    bin_ = Bin("deleted")
    assert do(bin_, Action.RESTORE) == Outcome("1", None, str(ANCHOR))
    place = Change(How.REPLACE, "distinguishedName", [LIVE.encode()])
    assert bin_.changed[-1] == Modify(BURIED, [Change(How.DELETE, "isDeleted"), place], (SHOW_DELETED,))
    assert do(bin_, Action.RESTORE) == Outcome("1", None, str(ANCHOR))


def test_a_restored_account_gets_a_number_where_its_name_is_taken() -> None:
    """Somebody of that name came meanwhile."""
    bin_ = Bin("deleted", taken=True)
    assert do(bin_, Action.RESTORE) == Outcome("1", None, str(ANCHOR))
    assert Bin._place(bin_.changed[-1]) == f"CN=Kari 2,{HOME}".encode()


@pytest.mark.parametrize("state", ["deleted", "live"])  # live: the answer was lost
@pytest.mark.parametrize(("taken", "name"), [(False, LIVE), (True, f"CN=Kari 2,{HOME}")])
def test_the_groups_that_it_came_back_into_are_told(state: str, taken: bool, name: str) -> None:
    """The recycle bin keeps links: nobody asked for these memberships."""
    group = uuid4()
    bin_ = Bin(state, taken=taken, groups={LIVE if state == "live" else name: [group]})

    outcome = do(bin_, Action.RESTORE)

    assert isinstance(outcome, Outcome)
    assert [(one.kind, one.group, one.account) for one in outcome.regained] == [
        (Kind.MEMBERSHIP, str(group), str(ANCHOR))
    ]


@pytest.mark.parametrize("state", ["deleted", "live"])  # live: the answer to the first of two requests was lost
def test_what_was_deleted_by_hand_comes_back_disabled(state: str) -> None:
    """However it was deleted: who may use it is not for the recycle bin to say."""
    bin_ = Bin(state, control=512)
    assert do(bin_, Action.RESTORE) == Outcome("1", None, str(ANCHOR))
    assert (bin_.state, bin_.control) == ("live", 514)


@pytest.mark.parametrize("state", ["recycled", "gone"])
def test_what_is_past_the_bin_does_not_come_back(state: str) -> None:
    """It is NotFound, and nothing was tried."""
    bin_ = Bin(state)
    assert isinstance(do(bin_, Action.RESTORE), NotFound)
    assert all(isinstance(one, Search) for one in bin_.asked)


def test_nobody_gets_a_second_account_out_of_the_bin() -> None:
    """Its owner was given another meanwhile."""
    bin_ = Bin("deleted", owner_has_another=True)
    assert isinstance(do(bin_, Action.RESTORE), AlreadyExists)
    assert bin_.state == "deleted"


@pytest.mark.parametrize(
    ("action", "fields"), [(Action.RESTORE, {}), (Action.DELETE, {"permanent": True})], ids=["restore", "purge"]
)
def test_an_administrators_account_stays_in_the_bin(action: Action, fields: dict[str, object]) -> None:
    """It would come back with all its memberships."""
    bin_ = Bin("deleted", admin=True)
    assert isinstance(do(bin_, action, **fields), Protected)
    assert bin_.state == "deleted"


@pytest.mark.parametrize("parent", [f"CN=System,{BASE}", f"OU=Domain Controllers,{BASE}", BASE, "OU=X,DC=other"])
def test_nothing_is_restored_to_where_nothing_is_put(parent: str) -> None:
    """Somebody moved it there before it was deleted."""
    bin_ = Bin("deleted", parent=parent)
    error = do(bin_, Action.RESTORE)
    assert isinstance(error, Rejected)
    assert error.attribute == "container"
    assert bin_.state == "deleted"


@pytest.mark.parametrize(("action", "state"), [(Action.DELETE, "live"), (Action.RESTORE, "deleted")])
def test_a_busy_domain_controller_is_asked_again_later(action: Action, state: str) -> None:
    """Result 51 is about the server: no outcome of the operation."""
    assert isinstance(do(Bin(state, code=51), action), Unavailable)


def test_another_anchor_is_looked_for_by_its_bytes() -> None:
    """The filter holds the objectGUID as Windows stores it."""
    bin_ = Bin("gone")
    do(bin_, Action.RESTORE)
    (search,) = bin_.asked
    assert isinstance(search, Search)
    assert ANCHOR.bytes_le in search.filter
    assert uuid4().bytes_le not in search.filter
