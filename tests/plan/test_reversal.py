from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.contract import Action, Kind
from eadm_sync.model import Sealed
from eadm_sync.plan.audited import ADOPT, audited
from eadm_sync.plan.change import Change
from eadm_sync.plan.days import after
from eadm_sync.plan.reversal import Present, Reversal, Story, Told
from eadm_sync.state.known import Known, KnownAccount, KnownGroup
from eadm_sync.state.outcomes import Lost

RUN, LATER = "run-1", "run-2"
DAY = date(2026, 8, 17)
PERSON = "hr:1"


def account(**values: object) -> KnownAccount:
    """An account in `ad`."""
    plain = KnownAccount("ad", "anchor", "OU=A", True, {"title": "Lærer"}, "r/ad", None)
    return msgspec.structs.replace(plain, **values)


def story(*changes: Change, later: tuple[Told, ...] = (), action: str = "", before: Told | None = None) -> Story:
    """What the audit tells of changes to one object, with values as they were asked for."""
    lines = tuple(Told(RUN, action or change.action, audited(change, None, None)) for change in changes)
    lines = tuple(
        line._replace(change=msgspec.structs.replace(line.change, attributes=one.attributes, container=one.container))
        for line, one in zip(lines, changes, strict=True)
        if line.change is not None
    )
    first = changes[0]
    return Story(first.target, first.kind, first.object_key, first.person, lines, before, later)


def change(action: Action, kind: Kind = Kind.ACCOUNT, **fields: object) -> Change:
    """A change in `ad`; to the person's account, if nothing else is said."""
    person = None if kind in {Kind.GROUP, Kind.NESTING} else PERSON
    return msgspec.structs.replace(Change("ad", kind, action, person), **fields)


def present(known: Known, **more: object) -> Present:
    """One person's known state."""
    made = Present(
        accounts={(PERSON, target): one for target, one in known.accounts.items()},
        groups={("ad", key): KnownGroup("ad", key, key, None, {}, "r/g") for key in ("a", "b", "c")},
        roles={(PERSON, *place): role for place, (role, _) in known.memberships.items()},
        licences={(PERSON, *product) for product in known.licences},
    )
    for name, value in more.items():
        setattr(made, name, value)
    return made


names = st.sampled_from(["title", "department", "company"])
values = st.none() | st.sampled_from(["x", "y"])


@given(
    held=st.dictionaries(names, st.sampled_from(["x", "y", "z"])),
    wanted=st.lists(st.dictionaries(names, values), max_size=3),
    enabled=st.booleans(),
    switches=st.booleans(),
    groups=st.sets(st.sampled_from("abc")),
    wanted_groups=st.sets(st.sampled_from("abc")),
    licences=st.sets(st.sampled_from("pq")),
    wanted_licences=st.sets(st.sampled_from("pq")),
)
def test_what_a_run_did_to_a_person_and_its_reverse_come_to_nothing(
    held: dict[str, str],
    wanted: list[dict[str, str | None]],
    enabled: bool,
    switches: bool,
    groups: set[str],
    wanted_groups: set[str],
    licences: set[str],
    wanted_licences: set[str],
):
    """Attributes changed several times over, the account switched, groups and licences given and taken."""
    before = Known(
        {"ad": account(attributes=dict(held), enabled=enabled)},
        {("ad", group): ("member", "r") for group in groups},
        {("ad", sku): "r" for sku in licences},
    )
    known, updates = before, []
    for attributes in wanted:
        old = known.accounts["ad"].attributes
        differing = {name: (old.get(name), new) for name, new in attributes.items() if old.get(name) != new}
        if differing:
            updates.append(change(Action.UPDATE, attributes=differing))
            known = after(known, updates[-1:], Lost(), DAY)
    if switches:
        updates.append(change(Action.DISABLE if enabled else Action.ENABLE))
    links = [
        change(Action.CREATE if group in wanted_groups else Action.DELETE, Kind.MEMBERSHIP, group=group)
        for group in sorted(groups ^ wanted_groups)
    ]
    links += [
        change(Action.CREATE if sku in wanted_licences else Action.DELETE, Kind.LICENCE, sku=sku)
        for sku in sorted(licences ^ wanted_licences)
    ]
    known = after(known, [*updates[-1:][: int(switches)], *links], Lost(), DAY)
    stories = [*([story(*updates)] if updates else []), *map(story, links)]

    reversal = Reversal(RUN, stories, present(known))

    undone = after(known, reversal.changes, Lost(), DAY)
    assert reversal.kept == []
    assert undone.accounts["ad"].attributes == before.accounts["ad"].attributes
    assert undone.accounts["ad"].enabled == enabled
    assert undone.memberships.keys() == before.memberships.keys()
    assert undone.licences.keys() == before.licences.keys()


def told(action: Action, run: str = LATER, **fields: object) -> Told:
    """A line of another run about the account."""
    return Told(run, action, audited(change(action), None, None).__class__("ad", Kind.ACCOUNT, action, **fields))


def _never(_sealed: Sealed, _name: str) -> bool:
    return False


SECRET = Sealed(b"x", b"y")
UPDATE = change(Action.UPDATE, attributes={"title": ("Rektor", "Lærer")})


@pytest.mark.parametrize(
    ("one", "more", "reason"),
    [
        # a later run set the same attribute: its word stands
        (
            story(UPDATE, later=(told(Action.UPDATE, attributes={"title": ("Lærer", "Inspektør")}),)),
            {},
            "title: changed since by the run run-2",
        ),
        (story(change(Action.DISABLE), later=(told(Action.ENABLE),)), {}, "enabled since by the run run-2"),
        (
            story(change(Action.UPDATE, attributes={"pin": (SECRET, None)})),
            {"can_open": lambda *_: False},
            "pin: the key",
        ),
        (story(change(Action.DELETE)), {"accounts": {}}, "deleted for good"),
        (story(UPDATE), {"accounts": {}}, "no such account any more"),
        (story(change(Action.CREATE), action=ADOPT), {}, "in the target before the run"),
        (story(UPDATE)._replace(of_run=(Told(RUN, Action.UPDATE, None),)), {}, "forgotten with its person"),
        # nobody who is stopped is enabled by an undo
        (
            story(change(Action.DISABLE)),
            {"accounts": {(PERSON, "ad"): account(enabled=False)}, "stopped": {PERSON}},
            "the person is stopped",
        ),
        (story(change(Action.DELETE, Kind.MEMBERSHIP, group="gone")), {}, "the group gone is not there any more"),
        (story(change(Action.DELETE, Kind.LICENCE, sku="p")), {"accounts": {}}, "the account is not there any more"),
        # deleting a group that somebody came into since would take more away than the run gave
        (
            story(change(Action.CREATE, Kind.GROUP, group="a")),
            {"members": {("ad", "a"): {"hr:2"}}},
            "others are in it since: hr:2",
        ),
    ],
)
def test_what_cannot_be_undone_stays_with_the_reason(one: Story, more: dict[str, object], reason: str):
    """Nothing is changed then, and whoever asks is told why."""
    reversal = Reversal(RUN, [one], present(Known({"ad": account()}), **more))

    assert reversal.changes == []
    assert [kept.reason for kept in reversal.kept if reason in kept.reason]


def test_another_attribute_changed_since_keeps_nothing_from_its_place():
    """What is looked at is each attribute, not the account as a whole."""
    later = told(Action.UPDATE, attributes={"department": ("A", "B")})

    reversal = Reversal(RUN, [story(UPDATE, later=(later,))], present(Known({"ad": account()})))

    assert reversal.kept == []
    assert [one.attributes for one in reversal.changes] == [{"title": ("Lærer", "Rektor")}]


def test_a_created_account_is_disabled_and_never_deleted():
    """Its retention begins, as if the person had left."""
    reversal = Reversal(RUN, [story(change(Action.CREATE, enabled=True))], present(Known({"ad": account()})))

    assert [(one.action, one.deactivates) for one in reversal.changes] == [(Action.DISABLE, True)]


def test_a_deleted_account_comes_out_of_the_recycle_bin():
    """If the target still has it."""
    reversal = Reversal(RUN, [story(change(Action.DELETE))], present(Known(), recycled={(PERSON, "ad")}))

    assert [one.action for one in reversal.changes] == [Action.RESTORE]


def test_a_created_group_goes_with_the_members_that_the_run_gave_it():
    """Nobody else is in it."""
    known = Known({"ad": account()}, {("ad", "a"): ("member", "r")})
    stories = [
        story(change(Action.CREATE, Kind.GROUP, group="a")),
        story(change(Action.CREATE, Kind.MEMBERSHIP, group="a")),
    ]

    reversal = Reversal(RUN, stories, present(known, members={("ad", "a"): {PERSON}}))

    assert [(one.kind, one.action) for one in reversal.changes] == [
        (Kind.GROUP, Action.DELETE),
        (Kind.MEMBERSHIP, Action.DELETE),
    ]


def test_a_deleted_group_is_made_anew_with_what_it_held():
    """Its members, who were none, need nothing; whoever is put into it again finds it."""
    gone = change(Action.DELETE, Kind.GROUP, group="x", attributes={"name": ("x", None)}, container=("OU=G", None))

    (made,) = Reversal(RUN, [story(gone)], present(Known())).changes

    assert (made.action, made.attributes, made.container) == (Action.CREATE, {"name": (None, "x")}, (None, "OU=G"))
