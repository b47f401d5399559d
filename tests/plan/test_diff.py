"""What brings a person from known to desired state."""

from dataclasses import dataclass
from datetime import date

import msgspec
import pytest

from connectors.contract import Action, Kind
from eadm_sync.desired import Desired, DesiredAccount, DesiredGroup, DesiredLicence, DesiredMembership
from eadm_sync.lifecycle import Stage, Standing
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change
from eadm_sync.plan.diff import diff_person, stop_person
from eadm_sync.plan.group_diff import diff_group
from eadm_sync.state.known import Known, KnownAccount, KnownGroup

TODAY = date(2026, 11, 22)
ACTIVE = Standing(Stage.ACTIVE, (), enabled=True, next_change=None)
PREHIRE = Standing(Stage.PREHIRE, (), enabled=False, next_change=None)
ENDED = Standing(Stage.ENDED, (), enabled=False, next_change=None)


@dataclass(frozen=True)
class Days:
    create_days_before_start: int = 14
    enable_days_before_start: int = 1
    grace_days: int = 0
    retention_days: int = 365


def wants(**attributes: object) -> Desired:
    """A desired state of one account in `ad`."""
    return Desired(accounts=(DesiredAccount("ad", "r/a", "OU=X", dict(attributes), "hr:1"),))  # type: ignore[arg-type]


def has(*, enabled: bool = True, deactivated_on: date | None = None, **attributes: object) -> Known:
    """A known state of one account in `ad`."""
    account = KnownAccount("ad", "anchor-1", "OU=X", enabled, dict(attributes), "r/a", deactivated_on)  # type: ignore[arg-type]
    return Known(accounts={"ad": account})


def diff(desired: Desired, known: Known, stand: Standing = ACTIVE) -> tuple[Change, ...]:
    """The changes for one person, nothing being sensitive."""
    return diff_person(
        "hr:1", desired, known, stand, seal=lambda _target, attributes: attributes, settings=Days(), today=TODAY
    )


def actions(changes: tuple[Change, ...]) -> list[tuple[Kind, Action]]:
    """What is done to what."""
    return [(change.kind, change.action) for change in changes]


def test_a_joiner_gets_an_enabled_account_with_what_has_a_value():
    """Empty attributes are not sent with a new account."""
    (change,) = diff(wants(title="Lærer", mobile=None), Known())

    assert (change.action, change.enabled) == (Action.CREATE, True)
    assert change.attributes == {"title": (None, "Lærer")}
    assert change.container == (None, "OU=X")


def test_before_the_first_day_the_account_is_made_disabled():
    """Made ready, but nobody can use it yet."""
    (change,) = diff(wants(title="Lærer"), Known(), PREHIRE)

    assert (change.action, change.enabled) == (Action.CREATE, False)


def test_when_the_day_comes_it_is_enabled():
    """A prepared account is enabled, not made again."""
    changes = diff(wants(title="Lærer"), has(enabled=False, title="Lærer"))

    assert actions(changes) == [(Kind.ACCOUNT, Action.ENABLE)]


def test_a_stop_disables_what_is_enabled_and_nothing_else():
    """Ahead of everything, and without beginning retention: the rules may still give the account."""
    known = Known(
        accounts={
            "ad": KnownAccount("ad", "1", None, True, {}, "r/a", None),
            "web": KnownAccount("web", "2", None, False, {}, "r/w", None),
        }
    )

    (change,) = stop_person("hr:1", known)

    assert (change.target, change.action, change.urgent, change.deactivates) == ("ad", Action.DISABLE, True, False)
    assert change.revokes
    assert stop_person("hr:1", known.disabled()) == ()


@pytest.mark.parametrize(
    ("stage", "reason"),
    [
        # a leave that disables
        (Stage.LEAVE, "on leave"),
        # stopped
        (Stage.STOPPED, "stopped"),
        # not there yet, after all
        (Stage.PREHIRE, "the start was put off"),
    ],
)
def test_an_account_that_the_rules_give_says_why_it_is_disabled(stage: Stage, reason: str):
    """It is not deactivated: nothing counts towards its deletion."""
    (change,) = diff(wants(title="x"), has(title="x"), Standing(stage, (), enabled=False, next_change=None))

    assert (change.action, change.deactivates, change.reason) == (Action.DISABLE, False, reason)


def test_what_is_the_same_needs_nothing():
    """The second run has nothing to do."""
    assert diff(wants(title="Lærer"), has(title="Lærer")) == ()


@pytest.mark.parametrize(
    ("wanted", "held", "expected"),
    [
        ("kari", "KARI", []),  # asked for just that: the target folds case
        ("karin", "KARI", ["title"]),  # another one is asked for
        ("kari", "KNO", ["title"]),  # it holds something else by now: somebody's hand, or an older backup
        ("KARI", "KARI", []),
        (None, "KARI", ["title"]),
    ],
)
def test_what_a_target_stored_otherwise_is_not_asked_for_again(wanted: str | None, held: str, expected: list[str]):
    """It would store it otherwise again, in every run that looks at the person."""
    (account,) = has(title=held).accounts.values()
    altered = msgspec.structs.replace(account, altered={"title": ("kari", "KARI")})

    changes = diff(wants(title=wanted), Known(accounts={"ad": altered}))

    assert [name for change in changes for name in change.attributes] == expected


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        ("hr:1", ["manager"]),  # the account of that manager may be there by now
        ("", []),
    ],
)
def test_what_a_target_left_out_is_asked_for_again(wanted: str, expected: list[str]):
    """It was asked for too early; what has no value is not left out."""
    (account,) = has().accounts.values()
    altered = msgspec.structs.replace(account, altered={"manager": (wanted, None)})

    changes = diff(wants(manager=wanted), Known(accounts={"ad": altered}))

    assert [name for change in changes for name in change.attributes] == expected


@pytest.mark.parametrize(("wanted", "expected"), [("Oppvekst", 0), ("Helse", 1)])
def test_what_a_target_stored_otherwise_of_a_group_is_not_asked_for_again(wanted: str, expected: int):
    """As with accounts."""
    group = KnownGroup(
        "ad", "g", "anchor-1", "OU=G", {"description": "OPP"}, "r/g", altered={"description": ("Oppvekst", "OPP")}
    )

    changes = diff_group(DesiredGroup("ad", "r/g", "g", "OU=G", {"description": wanted}), group)

    assert len(changes) == expected


def test_only_what_differs_is_changed_and_an_empty_value_clears():
    """Old and new value of just those attributes."""
    (change,) = diff(wants(title="Rektor", mobile=None, mail="a@b"), has(title="Lærer", mobile="1", mail="a@b"))

    assert change.action is Action.UPDATE
    assert change.attributes == {"title": ("Lærer", "Rektor"), "mobile": ("1", None)}


def test_an_attribute_that_we_set_and_no_rule_sets_any_more_is_cleared():
    """It is in known state because we set it; what we never set is not there, and not touched."""
    (change,) = diff(wants(title="Lærer"), has(title="Lærer", info="old"))

    assert change.attributes == {"info": ("old", None)}


def test_types_are_not_confused():
    """True is not 1, though Python thinks so."""
    (change,) = diff(wants(flag=True), has(flag=1))

    assert change.attributes == {"flag": (1, True)}


def test_sensitive_values_are_compared_without_being_opened():
    """Equal digests mean equal values, whatever the ciphertext."""
    old, same, other = Sealed(b"x", b"1"), Sealed(b"y", b"1"), Sealed(b"z", b"2")

    assert diff(wants(nin=same), has(nin=old)) == ()
    assert len(diff(wants(nin=other), has(nin=old))) == 1


def test_a_leaver_is_disabled_first():
    """Nothing is deleted on the day somebody leaves."""
    (change,) = diff(Desired(), has(title="Lærer"), ENDED)

    assert (change.action, change.deactivates) == (Action.DISABLE, True)


@pytest.mark.parametrize(
    ("deactivated_on", "expected"),
    [
        # one day short of retention
        (date(2025, 11, 23), []),
        # retention is over today
        (date(2025, 11, 22), [(Kind.ACCOUNT, Action.DELETE)]),
        # long over
        (date(2020, 1, 1), [(Kind.ACCOUNT, Action.DELETE)]),
    ],
)
def test_a_deactivated_account_is_deleted_after_retention_and_not_a_day_before(
    deactivated_on: date, expected: list[tuple[Kind, Action]]
):
    """Retention counts from the day the disabling was confirmed."""
    assert actions(diff(Desired(), has(enabled=False, deactivated_on=deactivated_on), ENDED)) == expected


def test_an_account_that_was_never_deactivated_by_us_is_never_deleted():
    """A prepared account of somebody who did not come is deactivated, and kept as long as any other."""
    (change,) = diff(Desired(), has(enabled=False), ENDED)

    assert change.action is Action.DISABLE


def test_an_enabled_account_is_not_deleted_however_old_its_deactivation():
    """Contradictory state is resolved on the safe side."""
    (change,) = diff(Desired(), has(enabled=True, deactivated_on=date(2000, 1, 1)), ENDED)

    assert change.action is Action.DISABLE


def test_a_rehire_takes_the_old_account_back():
    """Enabled again, with what the rules say now; no second account."""
    changes = diff(wants(title="Rektor"), has(enabled=False, deactivated_on=date(2026, 1, 1), title="Lærer"))

    assert actions(changes) == [(Kind.ACCOUNT, Action.UPDATE), (Kind.ACCOUNT, Action.ENABLE)]


def test_memberships_and_licences_follow_the_rules():
    """What is not wanted goes, what is wanted comes, a changed role is set."""
    desired = Desired(
        memberships=(DesiredMembership("ad", "new", "r/g"), DesiredMembership("ad", "kept", "r/g", "owner")),
        licences=(DesiredLicence("ad", "A3", "r/l"),),
    )
    known = Known(
        memberships={("ad", "kept"): ("member", "r/g"), ("ad", "old"): ("member", "r/g")},
        licences={("ad", "A1"): "r/l"},
    )

    changes = diff(desired, known)

    assert [(change.action, change.group or change.sku, change.role) for change in changes] == [
        (Action.CREATE, "new", "member"),
        (Action.CREATE, "kept", "owner"),
        (Action.DELETE, "old", "member"),
        (Action.CREATE, "A3", "member"),
        (Action.DELETE, "A1", "member"),
    ]


def test_a_group_is_made_once_and_then_only_changed():
    """A renamed unit renames its group; the group stays the same object."""
    wanted = DesiredGroup("ad", "g1", "r/g", "OU=G", {"name": "Nytt navn"})
    known = KnownGroup("ad", "g1", "anchor", "OU=G", {"name": "Gammelt navn"}, "r/g")

    (made,) = diff_group(wanted, None)
    (renamed,) = diff_group(wanted, known)

    assert (made.action, made.attributes) == (Action.CREATE, {"name": (None, "Nytt navn")})
    assert (renamed.action, renamed.attributes) == (Action.UPDATE, {"name": ("Gammelt navn", "Nytt navn")})


def test_a_group_gets_into_groups_and_out_of_them():
    """What a rule gave that may give the group to others stays, and so do the attributes that it sets."""
    wanted = DesiredGroup("ad", "g1", "r/g", None, {"name": "G"}, member_of=("new", "kept"))
    member_of = {"kept": "r/g", "old": "r/g", "theirs": "r/other"}
    known = KnownGroup("ad", "g1", "anchor", None, {"name": "G", "a": "1", "b": "2"}, "r/g", member_of)

    update, *nestings = diff_group(wanted, known, others={"r/other"}, set_by_others={"a"})

    assert update.attributes == {"b": ("2", None)}
    assert [(change.kind, change.action, change.group, change.member) for change in nestings] == [
        (Kind.NESTING, Action.CREATE, "new", "g1"),
        (Kind.NESTING, Action.DELETE, "old", "g1"),
    ]
    assert {change.subject for change in nestings} == {"group:g1"}
