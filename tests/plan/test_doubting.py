"""What a target may have done unheard is asked for again."""

from datetime import date

import pytest

from connectors.contract import Action, Kind
from eadm_sync.desired import Desired, DesiredAccount, DesiredLicence, DesiredMembership
from eadm_sync.lifecycle import Stage, Standing
from eadm_sync.plan.change import Change
from eadm_sync.plan.diff import diff_person
from eadm_sync.plan.doubting import answered, doubted, doubts_of, gives_again, perhaps_enabled
from eadm_sync.plan.overlap import Kept
from eadm_sync.ruleset.rules import LifecycleSettings
from eadm_sync.state.doubts import GONE, MADE, Doubt
from eadm_sync.state.known import Known, KnownAccount

TODAY = date(2026, 11, 22)
ACTIVE = Standing(Stage.ACTIVE, (), enabled=True, next_change=None)
ENDED = Standing(Stage.ENDED, (), enabled=False, next_change=None)

ACCOUNT = DesiredAccount("ad", "r/a", "OU=X", {"title": "Lærer"}, "hr:1")
KNOWN = Known(accounts={"ad": KnownAccount("ad", "anchor-1", "OU=X", True, {"title": "Lærer"}, "r/a", None)})
STAFF = DesiredMembership("ad", "staff", "r/g")
OFFICE = DesiredLicence("ad", "OFFICE", "r/l")


def change(kind: Kind, action: Action, **more: object) -> Change:
    """A change to what hr:1 has in `ad`."""
    return Change("ad", kind, action, person="hr:1", **more)  # type: ignore[arg-type]


def asked(
    desired: Desired, known: Known, *lost: Change, stand: Standing = ACTIVE, kept: tuple[Kept, ...] = ()
) -> list[tuple[Kind, Action]]:
    """What is asked of the targets, where nobody heard what came of some changes."""
    doubts = [doubt for one in lost for doubt in doubts_of(one)]
    wanted, held = doubted(desired, known, kept, doubts, enabled=stand.enabled)
    changes = diff_person(
        "hr:1",
        wanted,
        held,
        stand,
        seal=lambda _target, attributes: attributes,
        settings=LifecycleSettings(),
        today=TODAY,
    )
    return [(one.kind, one.action) for one in changes]


def test_of_a_group_that_may_have_been_made_the_name_is_kept():
    """By it the group is found again; one without a name could not be."""
    made = Change("ad", Kind.GROUP, Action.CREATE, group="staff", attributes={"name": (None, "Staff")})

    assert list(doubts_of(made, "name")) == [Doubt("ad", Kind.GROUP, "Staff", MADE)]
    assert list(doubts_of(made)) == []
    assert answered(made, list(doubts_of(made, "name"))) == {Doubt("ad", Kind.GROUP, "Staff", MADE)}


@pytest.mark.parametrize(
    ("lost", "expected"),
    [
        # somebody who returns is enabled again, whatever is known
        (change(Kind.ACCOUNT, Action.DISABLE, deactivates=True), [(Kind.ACCOUNT, Action.ENABLE)]),
        # one of several that follow each other
        (change(Kind.ACCOUNT, Action.ENABLE), [(Kind.ACCOUNT, Action.ENABLE)]),
        (
            change(Kind.ACCOUNT, Action.UPDATE, attributes={"title": ("Lærer", "Rektor")}),
            [(Kind.ACCOUNT, Action.UPDATE)],
        ),
        (change(Kind.ACCOUNT, Action.UPDATE, attributes={"mobile": (None, "1")}), [(Kind.ACCOUNT, Action.UPDATE)]),
        (change(Kind.ACCOUNT, Action.UPDATE, container=("OU=X", "OU=Y")), [(Kind.ACCOUNT, Action.UPDATE)]),
        # access that may have been given, and that nothing gives
        (change(Kind.MEMBERSHIP, Action.CREATE, group="staff"), [(Kind.MEMBERSHIP, Action.DELETE)]),
        (change(Kind.LICENCE, Action.CREATE, sku="OFFICE"), [(Kind.LICENCE, Action.DELETE)]),
        # what is in another target; and whether an account is there at all is looked for, not asked
        (Change("cloud", Kind.ACCOUNT, Action.DISABLE, person="hr:1"), []),
        (change(Kind.ACCOUNT, Action.CREATE), []),
        (change(Kind.ACCOUNT, Action.RESTORE), []),
        (change(Kind.ACCOUNT, Action.DELETE), []),
    ],
)
def test_what_is_wanted_is_asked_for_again(lost: Change, expected: list[tuple[Kind, Action]]):
    """Known state agrees with the rules, but may be wrong."""
    assert asked(Desired(accounts=(ACCOUNT,)), KNOWN) == []
    assert asked(Desired(accounts=(ACCOUNT,)), KNOWN, lost) == expected


def test_access_that_may_be_gone_is_given_again():
    """The rules give it, and it is known to be there."""
    desired = Desired(accounts=(ACCOUNT,), memberships=(STAFF,), licences=(OFFICE,))
    known = Known(KNOWN.accounts, {("ad", "staff"): ("member", "r/g")}, {("ad", "OFFICE"): "r/l"})
    lost = change(Kind.MEMBERSHIP, Action.DELETE, group="staff"), change(Kind.LICENCE, Action.DELETE, sku="OFFICE")

    assert asked(desired, known) == []
    assert asked(desired, known, *lost) == [(Kind.MEMBERSHIP, Action.CREATE), (Kind.LICENCE, Action.CREATE)]
    assert known.memberships, "what is known is left as it is"


def test_access_that_is_kept_for_an_overlap_is_given_again():
    """It may be gone, and would not be kept then."""
    kept = Kept("ad", Kind.MEMBERSHIP, "staff", "r/g", TODAY, TODAY)
    lost = change(Kind.MEMBERSHIP, Action.DELETE, group="staff")

    assert asked(Desired(accounts=(ACCOUNT,)), KNOWN, lost, kept=(kept,)) == [(Kind.MEMBERSHIP, Action.CREATE)]


def test_a_leaver_who_may_be_enabled_is_disabled():
    """Known to be disabled long ago, but a return that was called off may have reached the target."""
    account = KnownAccount("ad", "anchor-1", "OU=X", False, {}, "r/a", date(2020, 1, 1))

    found = asked(Desired(), Known(accounts={"ad": account}), change(Kind.ACCOUNT, Action.ENABLE), stand=ENDED)

    assert found == [(Kind.ACCOUNT, Action.DISABLE)]


def test_a_stop_reaches_an_account_that_may_be_enabled():
    """Emergencies do not trust what is known."""
    account = KnownAccount("ad", "anchor-1", "OU=X", False, {}, "r/a", None)
    doubts = list(doubts_of(change(Kind.ACCOUNT, Action.ENABLE)))

    assert perhaps_enabled(Known(accounts={"ad": account}), doubts).accounts["ad"].enabled
    assert not perhaps_enabled(Known(accounts={"ad": account}), ()).accounts["ad"].enabled


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (change(Kind.ACCOUNT, Action.ENABLE), True),
        # given again, to be enabled later
        (change(Kind.ACCOUNT, Action.DISABLE), True),
        # somebody leaves, or is stopped
        (change(Kind.ACCOUNT, Action.DISABLE, deactivates=True), False),
        (change(Kind.ACCOUNT, Action.DISABLE, urgent=True), False),
        (change(Kind.ACCOUNT, Action.UPDATE), False),
        (change(Kind.LICENCE, Action.ENABLE), False),
    ],
)
def test_what_gives_an_account_again_counts_though_it_was_never_sent(one: Change, expected: bool):
    """Whoever returns and leaves while the target is down is kept for the whole retention from then on."""
    assert gives_again(one) is expected


@pytest.mark.parametrize(
    ("confirmed", "left"),
    [
        (change(Kind.ACCOUNT, Action.ENABLE), {"attributes.title", "member", MADE}),
        (change(Kind.ACCOUNT, Action.UPDATE, attributes={"title": (None, "x")}), {"enabled", "member", MADE}),
        (
            change(Kind.MEMBERSHIP, Action.DELETE, group="staff", role="owner"),
            {"enabled", "attributes.title", GONE, MADE},
        ),
        (change(Kind.MEMBERSHIP, Action.DELETE, group="others"), {"enabled", "attributes.title", "member", GONE, MADE}),
        (change(Kind.ACCOUNT, Action.DELETE), set()),
        (
            Change("cloud", Kind.ACCOUNT, Action.DELETE, person="hr:1"),
            {"enabled", "attributes.title", "member", GONE, MADE},
        ),
    ],
)
def test_an_answer_ends_the_doubts_about_its_own_thing(confirmed: Change, left: set[str]):
    """The target said how that is; all else stays in doubt."""
    doubts = {
        Doubt("ad", Kind.ACCOUNT, "", "enabled"),
        Doubt("ad", Kind.ACCOUNT, "", "attributes.title"),
        Doubt("ad", Kind.MEMBERSHIP, "staff", "member"),
        Doubt("ad", Kind.ACCOUNT, "", GONE),
        Doubt("ad", Kind.ACCOUNT, "kari", MADE),
    }

    assert {one.aspect for one in doubts - answered(confirmed, doubts)} == left
