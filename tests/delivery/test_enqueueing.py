from __future__ import annotations

import pytest

from connectors.contract import Action, Kind
from eadm_sync.config.keys import Key
from eadm_sync.delivery.enqueueing import items, prerequisites
from eadm_sync.delivery.payload import FORMAT, unpack
from eadm_sync.plan.change import Change
from eadm_sync.state.crypto import Vault

VAULT = Vault([Key("one", bytes(32))])
ACCOUNT = Change("ad", Kind.ACCOUNT, Action.CREATE, person="hr:1", enabled=True)
GROUP = Change("ad", Kind.GROUP, Action.CREATE, group="all")
MEMBERSHIP = Change("ad", Kind.MEMBERSHIP, Action.CREATE, person="hr:1", group="all")
LICENCE = Change("ad", Kind.LICENCE, Action.CREATE, person="hr:1", sku="E3")


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (ACCOUNT, ()),
        (GROUP, ()),
        (MEMBERSHIP, ("account:hr:1", "group:all")),
        (LICENCE, ("account:hr:1",)),
        (Change("ad", Kind.NESTING, Action.CREATE, group="all", member="5a"), ("group:5a", "group:all")),
        (Change("ad", Kind.NESTING, Action.DELETE, group="all", member="5a"), ()),
        # what goes waits for nothing: a leaver's groups do not outlive a refused change of the account
        (Change("ad", Kind.MEMBERSHIP, Action.DELETE, person="hr:1", group="all"), ()),
        (Change("ad", Kind.LICENCE, Action.DELETE, person="hr:1", sku="E3"), ()),
        (Change("ad", Kind.ACCOUNT, Action.DELETE, person="hr:1"), ()),
    ],
)
def test_a_change_waits_for_what_it_needs(change: Change, expected: tuple[str, ...]):
    """By the keys of the objects, whatever they are made of."""
    assert prerequisites(change) == expected


def test_prerequisites_are_object_keys_of_the_changes_that_make_them():
    """A key that nothing has would be waited for by nobody."""
    assert prerequisites(MEMBERSHIP) == (ACCOUNT.object_key, GROUP.object_key)


def test_a_stop_goes_before_everything_else():
    """Before the disabling of those who leave, which goes before all the rest."""
    stop = Change("ad", Kind.ACCOUNT, Action.DISABLE, person="hr:1", urgent=True)
    leave = Change("ad", Kind.ACCOUNT, Action.DISABLE, person="hr:2")

    priorities = [item.priority for item in items([ACCOUNT, leave, stop], VAULT)]

    assert priorities[2] < priorities[1] < priorities[0]


def test_an_item_carries_its_change():
    """With target, object, subject and a word for operators; the change itself is sealed."""
    (item,) = items([MEMBERSHIP], VAULT)

    assert (item.target, item.object_key, item.subject) == ("ad", "membership:hr:1:all", "hr:1")
    assert item.operation == "create membership"
    assert item.format == FORMAT
    assert item.after == ("account:hr:1", "group:all")
    assert unpack(item.payload, item.format, VAULT) == MEMBERSHIP


def test_leavers_are_out_before_joiners_are_in_and_deletions_come_last():
    """What cannot be taken back leaves most time to notice that it should not be."""
    disable = Change("ad", Kind.ACCOUNT, Action.DISABLE, person="hr:2")
    delete = Change("ad", Kind.ACCOUNT, Action.DELETE, person="hr:3")

    made = sorted(items([delete, ACCOUNT, GROUP, MEMBERSHIP, LICENCE, disable], VAULT), key=lambda item: item.priority)

    assert made[0].operation == "disable account"
    assert made[-1].operation == "delete account"


def test_licences_hold_nothing_up():
    """A target may take one a second: whoever comes or leaves meanwhile does not wait for a thousand of them."""
    gone = Change("ad", Kind.LICENCE, Action.DELETE, person="hr:1", sku="F3")

    made = sorted(items([LICENCE, gone, ACCOUNT, GROUP, MEMBERSHIP], VAULT), key=lambda item: item.priority)

    assert [item.operation for item in made[-2:]] == ["create licence", "delete licence"]


def test_a_licence_that_goes_waits_for_those_that_come_in_its_place():
    """Of one person in one target: nobody is without for a moment, or for good where the new one is refused."""
    gone = Change("ad", Kind.LICENCE, Action.DELETE, person="hr:1", sku="F3")
    others = Change("entra", Kind.LICENCE, Action.DELETE, person="hr:1", sku="F3")
    leaver = Change("ad", Kind.LICENCE, Action.DELETE, person="hr:2", sku="F3")

    made = list(items([LICENCE, gone, others, leaver], VAULT))

    assert [item.after for item in made] == [("account:hr:1",), ("licence:hr:1:E3",), (), ()]


def test_changes_of_one_person_in_two_targets_wait_for_nothing_of_each_other():
    """An item belongs to its target; the queue looks for prerequisites there only."""
    entra = Change("entra", Kind.LICENCE, Action.CREATE, person="hr:1", sku="E3")

    made = list(items([ACCOUNT, entra], VAULT))

    assert [item.target for item in made] == ["ad", "entra"]


def test_a_nesting_comes_behind_both_groups_and_ends_before_its_group():
    """An item waits only for what was enqueued before it."""
    nest = Change("ad", Kind.NESTING, Action.CREATE, group="all", member="5a")
    inner = Change("ad", Kind.GROUP, Action.CREATE, group="5a")
    assert [item.object_key for item in items([inner, nest, GROUP], VAULT)] == [
        "group:5a",
        "group:all",
        "nesting:5a:all",
    ]

    end = Change("ad", Kind.NESTING, Action.DELETE, group="all", member="5a")
    gone = Change("ad", Kind.GROUP, Action.DELETE, group="5a")
    other = Change("web", Kind.GROUP, Action.DELETE, group="5a")
    assert [item.after for item in items([end, gone, other], VAULT)] == [(), ("nesting:5a:all",), ()]
