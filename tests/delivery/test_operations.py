from __future__ import annotations

import msgspec
import pytest

from connectors.contract import Action, Kind, Operation
from connectors.errors import Stale
from eadm_sync.delivery.operations import Confirmed, operation
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change
from eadm_sync.state.known import KnownAccount, KnownGroup

ACCOUNT = KnownAccount("ad", "a-1", "OU=x", True, {"cn": "old"}, "staff", None)
GROUP = KnownGroup("ad", "all", "g-1", "OU=x", {}, "everybody")
BOTH = Confirmed({"hr:1": ACCOUNT}, {"all": GROUP})
NOTHING = Confirmed({}, {})
INNER = msgspec.structs.replace(GROUP, key="5a", anchor="g-2")
NEST = Change("ad", Kind.NESTING, Action.CREATE, group="all", member="5a")
END = Change("ad", Kind.NESTING, Action.DELETE, group="all", member="5a")


def change(kind: Kind, action: Action, **more: object) -> Change:
    """A change of the person or the group that is known."""
    about: dict[str, object] = {}
    if kind is not Kind.GROUP:
        about["person"] = "hr:1"
    if kind in (Kind.GROUP, Kind.MEMBERSHIP):
        about["group"] = "all"
    if kind is Kind.LICENCE:
        about["sku"] = "E3"
    return Change(target="ad", kind=kind, action=action, **{**about, **more})  # type: ignore[arg-type]


def unseal(sealed: Sealed, attribute: str) -> str:
    """Opens what these tests seal."""
    return f"{sealed.ciphertext.decode()} of {attribute}"


@pytest.mark.parametrize(
    ("asked", "confirmed", "expected"),
    [
        # a new account is owned by its person, so that a repeated create finds it
        (
            change(
                Kind.ACCOUNT, Action.CREATE, attributes={"cn": (None, "n")}, container=(None, "OU=y"), enabled=False
            ),
            NOTHING,
            Operation(
                "1", Kind.ACCOUNT, Action.CREATE, owner="hr:1", attributes={"cn": "n"}, container="OU=y", enabled=False
            ),
        ),
        # created again although one is known: the target finds it by its owner
        (
            change(Kind.ACCOUNT, Action.CREATE, enabled=True),
            BOTH,
            Operation("1", Kind.ACCOUNT, Action.CREATE, owner="hr:1", enabled=True),
        ),
        # new values only, cleared ones as None; whose it is does not change
        (
            change(Kind.ACCOUNT, Action.UPDATE, attributes={"cn": ("old", "new"), "title": ("x", None)}, enabled=None),
            BOTH,
            Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor="a-1", attributes={"cn": "new", "title": None}),
        ),
        # a move without new values
        (
            change(Kind.ACCOUNT, Action.UPDATE, container=("OU=x", "OU=y")),
            BOTH,
            Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor="a-1", container="OU=y"),
        ),
        (
            change(Kind.ACCOUNT, Action.DISABLE, deactivates=True),
            BOTH,
            Operation("1", Kind.ACCOUNT, Action.DISABLE, anchor="a-1"),
        ),
        (change(Kind.ACCOUNT, Action.ENABLE), BOTH, Operation("1", Kind.ACCOUNT, Action.ENABLE, anchor="a-1")),
        (change(Kind.ACCOUNT, Action.DELETE), BOTH, Operation("1", Kind.ACCOUNT, Action.DELETE, anchor="a-1")),
        # gone already: nothing to ask for
        (change(Kind.ACCOUNT, Action.DELETE), NOTHING, None),
        # a group is owned by its key
        (
            change(Kind.GROUP, Action.CREATE, attributes={"name": (None, "All")}),
            NOTHING,
            Operation("1", Kind.GROUP, Action.CREATE, owner="group:all", attributes={"name": "All"}),
        ),
        (
            change(Kind.GROUP, Action.UPDATE, attributes={"name": ("All", "Everybody")}),
            BOTH,
            Operation("1", Kind.GROUP, Action.UPDATE, anchor="g-1", attributes={"name": "Everybody"}),
        ),
        (
            change(Kind.MEMBERSHIP, Action.CREATE, role="owner"),
            BOTH,
            Operation("1", Kind.MEMBERSHIP, Action.CREATE, anchor="g-1", account="a-1", role="owner"),
        ),
        (
            change(Kind.MEMBERSHIP, Action.DELETE),
            BOTH,
            Operation("1", Kind.MEMBERSHIP, Action.DELETE, anchor="g-1", account="a-1"),
        ),
        (change(Kind.GROUP, Action.DELETE), NOTHING, None),
        # a nesting needs the anchors of both groups, and went with either
        (
            NEST,
            Confirmed({}, {"all": GROUP, "5a": INNER}),
            Operation("1", Kind.NESTING, Action.CREATE, anchor="g-1", member="g-2"),
        ),
        (
            END,
            Confirmed({}, {"all": GROUP, "5a": INNER}),
            Operation("1", Kind.NESTING, Action.DELETE, anchor="g-1", member="g-2"),
        ),
        (END, Confirmed({}, {"all": GROUP}), None),
        (END, Confirmed({}, {"5a": INNER}), None),
        # a membership went with its account, or with its group
        (change(Kind.MEMBERSHIP, Action.DELETE), Confirmed({}, {"all": GROUP}), None),
        (change(Kind.MEMBERSHIP, Action.DELETE), Confirmed({"hr:1": ACCOUNT}, {}), None),
        (
            change(Kind.LICENCE, Action.CREATE),
            BOTH,
            Operation("1", Kind.LICENCE, Action.CREATE, account="a-1", sku="E3"),
        ),
        (
            change(Kind.LICENCE, Action.DELETE),
            BOTH,
            Operation("1", Kind.LICENCE, Action.DELETE, account="a-1", sku="E3"),
        ),
        (change(Kind.LICENCE, Action.DELETE), NOTHING, None),
    ],
)
def test_a_change_becomes_the_operation_that_brings_it_about(
    asked: Change, confirmed: Confirmed, expected: Operation | None
):
    """Anchors come from known state, old values stay behind."""
    assert operation(asked, "1", confirmed, unseal) == expected


@pytest.mark.parametrize(
    ("asked", "confirmed"),
    [
        (change(Kind.ACCOUNT, Action.UPDATE), NOTHING),
        (change(Kind.ACCOUNT, Action.ENABLE), NOTHING),
        (change(Kind.ACCOUNT, Action.DISABLE), NOTHING),
        (change(Kind.GROUP, Action.UPDATE), NOTHING),
        (change(Kind.MEMBERSHIP, Action.CREATE), Confirmed({"hr:1": ACCOUNT}, {})),
        (change(Kind.MEMBERSHIP, Action.CREATE), Confirmed({}, {"all": GROUP})),
        (change(Kind.LICENCE, Action.CREATE), NOTHING),
        (NEST, Confirmed({}, {"all": GROUP})),
        (NEST, Confirmed({}, {"5a": INNER})),
    ],
)
def test_a_change_to_what_is_not_there_is_stale(asked: Change, confirmed: Confirmed):
    """It was planned on something that is no longer so: the next plan has to tell."""
    with pytest.raises(Stale):
        operation(asked, "1", confirmed, unseal)


def test_a_sealed_value_is_opened_for_the_target_only():
    """The operation carries the plain value, opened as what it was sealed as."""
    sealed = Sealed(b"secret", b"digest")

    made = operation(
        change(Kind.ACCOUNT, Action.UPDATE, attributes={"nin": (None, sealed), "old": (sealed, None)}),
        "1",
        BOTH,
        unseal,
    )

    assert made
    assert made.attributes == {"nin": "secret of nin", "old": None}
