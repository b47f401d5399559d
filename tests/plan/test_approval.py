"""What a second person has to approve."""

import pytest

from connectors.contract import Action, Kind
from eadm_sync.plan.approval import Approvals
from eadm_sync.plan.brakes import Sieve
from eadm_sync.plan.change import Change


class Thousand:
    """A thousand of everything."""

    def whole(self, target: str, kind: Kind) -> int:
        """So many."""
        return 1000 if target and kind else 0

    def part(self, target: str, kind: Kind, by: str, value: str) -> int:
        """Nobody asks."""
        raise AssertionError((target, kind, by, value))


def deletion(kind: Kind = Kind.ACCOUNT) -> Change:
    """Somebody's account, or a group, goes."""
    return Change("ad", kind, Action.DELETE, person="hr:1" if kind is Kind.ACCOUNT else None, group="g")


@pytest.mark.parametrize(("number", "held"), [(10, []), (11, ["approval.ad.account.delete"])])
def test_many_deletions_are_to_be_approved(number: int, held: list[str]):
    """So many go by themselves; groups count apart."""
    approvals = Approvals(deletions=10)

    approvals.note([deletion()] * number + [deletion(Kind.GROUP)] * 10)

    assert [hold.name for hold in approvals.holds(Thousand())] == held


@pytest.mark.parametrize(
    ("change", "held"),
    [
        (Change("ad", Kind.MEMBERSHIP, Action.CREATE, person="hr:1", group="domain admins"), True),
        (Change("ad", Kind.MEMBERSHIP, Action.DELETE, person="hr:1", group="Domain Admins Skole"), True),
        (Change("ad", Kind.GROUP, Action.UPDATE, group="domain admins"), True),
        (Change("ad", Kind.NESTING, Action.CREATE, group="x", member="domain admins"), True),
        (Change("ad", Kind.MEMBERSHIP, Action.CREATE, person="hr:1", group="domain users"), False),
        (Change("ad", Kind.ACCOUNT, Action.UPDATE, person="hr:1"), False),
        # whoever was stopped is disabled whoever approves
        (Change("ad", Kind.GROUP, Action.UPDATE, group="domain admins", urgent=True), False),
    ],
)
def test_protected_groups_are_to_be_approved(change: Change, held: bool):
    """Whatever is done to them, or to who is in them, in whatever case their name is written; others go on."""
    approvals = Approvals(groups=["Domain Admins*"])

    approvals.note([change])
    holds = tuple(approvals.holds(Thousand()))

    assert [hold.name for hold in holds] == (["approval.ad[group Domain Admins*]"] if held else [])
    assert Sieve(holds).holds(change) is held
    assert not Sieve(holds).holds(Change("ad", Kind.MEMBERSHIP, Action.CREATE, person="hr:2", group="staff"))
