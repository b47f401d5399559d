"""What is not ours to change is refused at the moment of delivery, whatever was planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import Connection, create_engine

from connectors.contract import Action, Capabilities, Kind, RemoteObject, Value
from connectors.errors import Rejected, Stale
from eadm_sync.config.settings import ProtectedSettings
from eadm_sync.correlation import Protection
from eadm_sync.delivery.operations import Confirmed
from eadm_sync.delivery.protecting import Guarding, StillFree, protected_members
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change
from eadm_sync.state import tables
from eadm_sync.state.known import KnownAccount, KnownGroup

NOW = datetime(2026, 8, 17, tzinfo=UTC)
ACCOUNT = KnownAccount("ad", "a-1", "OU=Staff", True, {"username": "kari"}, "staff", None)
GROUP = KnownGroup("ad", "grp", "g-1", "OU=Groups", {"name": "Group"}, "all")
REMOTE = RemoteObject(Kind.ACCOUNT, "a-1", {"username": "kari", "number": "1"}, "OU=Staff", enabled=True)
ADOPTION = Change(
    "ad",
    Kind.ACCOUNT,
    Action.ADOPT,
    person="hr:1",
    attributes={"username": (None, "kari")},
    container=(None, "OU=Staff"),
    enabled=True,
    anchor="a-1",
    found_by={"username": "kari", "number": "1"},
)


@dataclass
class Directory:
    """A target that holds what it is told to, and counts how often it is asked."""

    objects: list[RemoteObject] = field(default_factory=list)
    capabilities: Capabilities = field(default_factory=lambda: Capabilities(frozenset(Kind), batch_size=100))
    reads: int = 0
    finds: int = 0
    error: Exception | None = None

    def find(self, kind: Kind, attributes: Mapping[str, Value]) -> Sequence[RemoteObject]:
        """Those that hold all of it."""
        self.finds += 1
        if self.error is not None:
            raise self.error
        return [
            one
            for one in self.objects
            if one.kind is kind and all(one.attributes.get(name) == value for name, value in attributes.items())
        ]

    def read(self, kind: Kind, _since: object = None, _attributes: object = None) -> Iterator[RemoteObject]:
        """All of one kind."""
        self.reads += 1
        return (one for one in self.objects if one.kind is kind)


def protection(**settings: tuple[str, ...]) -> Protection:
    """What the configuration protects."""
    return Protection.of(ProtectedSettings(**settings))


def refused(
    guarding: Guarding, target: Directory, *changes: Change, known: bool = True, now: datetime = NOW
) -> list[str]:
    """Why each change that is refused is."""
    confirmed = Confirmed({"hr:1": ACCOUNT}, {"grp": GROUP}) if known else Confirmed({}, {})
    asked: Any = target
    found = guarding.refused(asked, dict(enumerate(changes)), confirmed, lambda _change: None, now)
    return [str(error) for error in found.values()]


def account(action: Action, **fields: Any) -> Change:
    """A change to Kari's account."""
    return Change("ad", Kind.ACCOUNT, action, person="hr:1", **fields)


@pytest.mark.parametrize(
    "change",
    [
        account(Action.UPDATE),
        account(Action.DISABLE, urgent=True),
        account(Action.ENABLE),
        account(Action.DELETE),
        Change("ad", Kind.MEMBERSHIP, Action.DELETE, person="hr:1", group="grp"),
        Change("ad", Kind.LICENCE, Action.CREATE, person="hr:1", sku="A3"),
    ],
    ids=lambda change: f"{change.action} {change.kind}",
)
@pytest.mark.parametrize("by", [{"accounts": ("k*",)}, {"containers": ("OU=Staff",)}, {"groups": ("Admins",)}])
def test_nothing_of_a_protected_account_is_changed(change: Change, by: dict[str, tuple[str, ...]]) -> None:
    """Whoever asks, and whatever the reason."""
    admins = [
        RemoteObject(Kind.GROUP, "g-9", {"name": "Admins"}),
        RemoteObject(Kind.MEMBERSHIP, "g-9/a-1", group="g-9", account="a-1"),
    ]

    assert len(refused(Guarding(protection(**by)), Directory(admins), change)) == 1
    assert refused(Guarding(), Directory([REMOTE, *admins]), change) == []


@pytest.mark.parametrize(
    "change",
    [
        Change("ad", Kind.GROUP, Action.UPDATE, group="grp"),
        Change("ad", Kind.GROUP, Action.DELETE, group="grp"),
        Change("ad", Kind.MEMBERSHIP, Action.CREATE, person="hr:1", group="grp"),
        Change("ad", Kind.NESTING, Action.CREATE, group="grp", member="other"),
    ],
    ids=lambda change: f"{change.action} {change.kind}",
)
@pytest.mark.parametrize("by", [{"groups": ("group",)}, {"groups": ("grp",)}, {"containers": ("OU=Groups",)}])
def test_nothing_of_a_protected_group_is_changed(change: Change, by: dict[str, tuple[str, ...]]) -> None:
    """Nor is anybody put into it or taken out."""
    assert len(refused(Guarding(protection(**by)), Directory(), change)) == 1


@pytest.mark.parametrize(
    ("change", "by"),
    [
        (account(Action.CREATE, attributes={"username": (None, "svc-1")}), {"accounts": ("svc-*",)}),
        (account(Action.UPDATE, attributes={"username": ("kari", "svc-1")}), {"accounts": ("svc-*",)}),
        (account(Action.CREATE, container=(None, "OU=Admin")), {"containers": ("OU=Admin",)}),
        (
            Change("ad", Kind.GROUP, Action.CREATE, group="x", attributes={"name": (None, "Admins")}),
            {"groups": ("a*",)},
        ),
        (
            Change("ad", Kind.GROUP, Action.CREATE, group="x", container=(None, "OU=Admin")),
            {"containers": ("OU=Admin",)},
        ),
    ],
)
def test_nothing_becomes_protected_by_our_own_doing(change: Change, by: dict[str, tuple[str, ...]]) -> None:
    """It would be out of our hands from then on."""
    assert len(refused(Guarding(protection(**by)), Directory(), change, known=False)) == 1


@pytest.mark.parametrize(
    ("action", "by", "asks"),
    [
        # what destroys is looked at always, other changes where protection is set up
        (Action.DISABLE, {}, True),
        (Action.DELETE, {}, True),
        (Action.UPDATE, {}, False),
        (Action.UPDATE, {"accounts": ("x",)}, True),
        (Action.ENABLE, {"accounts": ("x",)}, True),
    ],
)
@pytest.mark.parametrize("kind", [Kind.ACCOUNT, Kind.GROUP])
def test_what_the_target_protects_by_now_is_left_alone(
    action: Action, by: dict[str, tuple[str, ...]], asks: bool, kind: Kind
) -> None:
    """By a fresh look, which costs a question to the target."""
    remote = REMOTE if kind is Kind.ACCOUNT else RemoteObject(kind, "g-1", {"name": "Group"}, "OU=Groups")
    change = account(action) if kind is Kind.ACCOUNT else Change("ad", kind, action, group="grp")
    target = Directory([msgspec.structs.replace(remote, protected=True)])

    found = refused(Guarding(protection(**by)), target, change)

    assert found == (["it is protected: the target protects it"] if asks else [])
    assert target.finds == int(asks)


@pytest.mark.parametrize(
    "remote",
    [
        # renamed back in the target meanwhile, moved, or not there: what is known decides, and the target answers
        msgspec.structs.replace(REMOTE, anchor="another", protected=True),
        msgspec.structs.replace(REMOTE, attributes={"username": "renamed"}, protected=True),
    ],
)
def test_another_account_says_nothing_of_ours(remote: RemoteObject) -> None:
    """Only what has our anchor counts."""
    assert refused(Guarding(), Directory([remote]), account(Action.DISABLE)) == []


def test_an_account_that_was_moved_by_hand_is_protected_where_it_is_now() -> None:
    """By the container that the target tells."""
    remote = msgspec.structs.replace(REMOTE, container="OU=Admin")
    found = refused(Guarding(protection(containers=("OU=Admin",))), Directory([remote]), account(Action.UPDATE))

    assert found == ["it is protected: the container OU=Admin is protected"]


def test_a_question_that_the_target_refuses_is_a_refusal_of_the_change() -> None:
    """Better than to change what may be protected."""
    target = Directory(error=Rejected("cannot be searched"))
    assert refused(Guarding(), target, account(Action.DISABLE)) == ["cannot be searched"]


def test_who_is_in_protected_groups_is_read_once_in_a_while() -> None:
    """By way of other groups too, and however these go round in a circle."""
    target = Directory(
        [
            RemoteObject(Kind.GROUP, "g-1", {"name": "Admins"}),
            RemoteObject(Kind.GROUP, "g-2", {"name": "Tier 0"}),
            RemoteObject(Kind.NESTING, "g-1/g-2", group="g-1", member="g-2"),
            RemoteObject(Kind.NESTING, "g-2/g-1", group="g-2", member="g-1"),
            RemoteObject(Kind.MEMBERSHIP, "g-2/a-1", group="g-2", account="a-1"),
        ]
    )
    asked: Any = target
    guarding = Guarding(protection(groups=("admins",)))

    assert protected_members(asked, guarding.protection) == {"a-1": {"Admins"}}
    target.reads = 0
    for minutes, reads in ((0, 3), (4, 3), (6, 6)):
        assert refused(guarding, target, account(Action.UPDATE), now=NOW + timedelta(minutes=minutes))
        assert target.reads == reads


# ---------------------------------------------------------------- adoptions


@pytest.fixture
def connection() -> Iterator[Connection]:
    """A state with two people."""
    engine = create_engine("sqlite://")
    tables.metadata.create_all(engine)
    with engine.connect() as opened:
        for person_id in ("hr:1", "hr:2"):
            opened.execute(
                tables.people.insert(), {"id": person_id, "name": "", "data": b"", "due": None, "pending": False}
            )
        yield opened
    engine.dispose()


def free(
    connection: Connection, *remote: RemoteObject, scope: tuple[str, ...] = (), **known: KnownAccount
) -> StillFree:
    """What looks at adoptions, where the target holds some accounts."""
    target: Any = Directory(list(remote))
    confirmed = Confirmed({person.replace("_", ":"): one for person, one in known.items()}, {})
    return StillFree(
        connection, "ad", target, confirmed, scope, lambda sealed, _name: sealed.ciphertext.decode(), digest
    )


def digest(_kind: str, value: str) -> bytes:
    """A hash that anybody can make."""
    return value.encode()


def test_an_account_that_is_as_it_was_planned_is_adopted(connection: Connection) -> None:
    """In scope, nobody's, and with the same values; an owner from another installation does not matter."""
    free(connection, REMOTE)(ADOPTION)
    free(connection, REMOTE, scope=("OU=Staff",))(ADOPTION)
    free(connection, msgspec.structs.replace(REMOTE, owner="old:7"))(ADOPTION)


def test_an_adoption_whose_answer_was_lost_is_repeated_in_peace(connection: Connection) -> None:
    """It is known already, and nothing is asked."""
    free(connection, hr_1=ACCOUNT)(ADOPTION)


@pytest.mark.parametrize(
    ("changes", "scope", "reason"),
    [
        ({"anchor": "another"}, (), "not there any more"),
        ({"deleted": True}, (), "not there any more"),
        ({"attributes": {"username": "kari", "number": "2"}}, (), "not there any more"),
        ({"protected": True}, (), "protected"),
        ({"owner": "hr:2"}, (), "made for somebody else"),
        ({}, ("OU=Elsewhere",), "left the containers"),
        ({"container": "OU=Moved"}, (), "changed since"),
        ({"enabled": False}, (), "changed since"),
    ],
)
def test_an_account_that_is_not_to_be_had_any_more_is_refused(
    connection: Connection, changes: dict[str, Any], scope: tuple[str, ...], reason: str
) -> None:
    """The next plan will tell."""
    with pytest.raises(Stale, match=reason):
        free(connection, msgspec.structs.replace(REMOTE, **changes), scope=scope)(ADOPTION)


def test_an_account_that_is_somebodys_by_now_is_refused(connection: Connection) -> None:
    """Whatever it is like."""
    row = {"person_id": "hr:2", "target": "ad", "anchor": "a-1", "enabled": True, "attributes": b"", "rule": ""}
    connection.execute(tables.known_accounts.insert(), {**row, "ruleset_version": ""})

    with pytest.raises(Stale, match="somebody else's"):
        free(connection, REMOTE)(ADOPTION)


def test_who_has_an_account_by_now_gets_no_other(connection: Connection) -> None:
    """One account for one person."""
    with pytest.raises(Stale, match="another one is known"):
        free(connection, REMOTE, hr_1=msgspec.structs.replace(ACCOUNT, anchor="a-2"))(ADOPTION)


@pytest.mark.parametrize(
    ("planned", "there", "is_same"),
    [
        (Sealed(b"x", b"secret"), "secret", True),
        (Sealed(b"x", b"secret"), "other", False),
        (["b", "a"], ["a", "b"], True),
        (["a"], ["a", "b"], False),
        (1, 1, True),
    ],
)
def test_sealed_values_and_sets_are_compared_as_what_they_are(
    connection: Connection, planned: Any, there: Any, is_same: bool
) -> None:
    """By keyed hash, and in no order."""
    remote = msgspec.structs.replace(REMOTE, attributes={**REMOTE.attributes, "more": there})
    change = msgspec.structs.replace(ADOPTION, attributes={"more": (None, planned)})
    if is_same:
        free(connection, remote)(change)
        return
    with pytest.raises(Stale, match="changed since"):
        free(connection, remote)(change)


def test_it_is_found_again_by_what_is_sealed(connection: Connection) -> None:
    """A national id is opened for the question, and for nothing else."""
    change = msgspec.structs.replace(ADOPTION, found_by={"username": "kari", "number": Sealed(b"1", b"")})
    free(connection, REMOTE)(change)
