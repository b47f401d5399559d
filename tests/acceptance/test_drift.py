"""What somebody changes in targets by hand: put back, left alone, or the target's own, as the rules say."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from connectors.contract import Action, Kind, Operation, RemoteObject, Target
from eadm_sync.app.auditing import untold, verify
from eadm_sync.app.deciding import left_alone
from eadm_sync.app.reconciling import TargetDrift, reconcile
from eadm_sync.app.undoing import undone
from eadm_sync.state import tables
from eadm_sync.state.drift import LeftRow, rows
from exportqueue import State

from .conftest import Town

TARGETS = ("ad", "entra", "google")


def rule(town: Town, text: str, name: str = "zz-drift") -> None:
    """Adds a ruleset file."""
    (town.folder / "rulesets" / f"{name}.yaml").write_text(f"ruleset: {name}\n{text}\n", encoding="utf-8")


def policies(town: Town, word: str) -> None:
    """Says the same of all that can be changed by hand in any target."""
    sorts = ("attributes", "container", "disabled", "enabled", "deleted", "members", "licences")
    said = ", ".join(f"{sort}: {word}" for sort in sorts)
    rule(town, "drift:\n" + "\n".join(f"  {target}: {{{said}}}" for target in TARGETS))


def reconciled(town: Town, **options: Any) -> dict[str, TargetDrift]:
    """What an hour later is otherwise than it was left, by target."""
    town.later(hours=1)
    return {one.target: one for one in reconcile(town.context, **options)}


def drift_of(town: Town) -> list[LeftRow]:
    """What is left alone."""
    with town.state() as connection:
        return rows(connection)


def content(town: Town) -> dict[str, Any]:
    """What all targets hold."""
    return {name: town.content(name) for name in TARGETS}


def assert_told(town: Town) -> None:
    """The audit tells how known state came to be what it is, hand edits among it, and is as it was written."""
    assert verify(town.context).faults == ()
    with town.state() as connection:
        assert untold(connection) == ()


# ---------------------------------------------------------------- hand edits of every sort


@dataclass(frozen=True)
class Hands:
    """Somebody with rights in a target: each method changes something there that can be changed, or does nothing."""

    target: Target
    number: Iterator[int]

    def live(self, kind: Kind) -> list[RemoteObject]:
        """What is there of ours, in a lasting order."""
        found = [one for one in self.target.read(kind) if isinstance(one, RemoteObject) and not one.deleted]
        return sorted(found, key=lambda one: (one.owner or "", one.anchor))

    def do(self, kind: Kind, action: Action, **options: Any) -> None:
        operation = Operation(f"hand-{next(self.number)}", kind, action, **options)
        assert [outcome.error for outcome in self.target.apply([operation])] == [None]

    def rename(self, one: RemoteObject) -> None:
        name = "displayName" if "displayName" in one.attributes else "givenName"
        self.do(Kind.ACCOUNT, Action.UPDATE, anchor=one.anchor, attributes={name: "By Hand"})

    def empty(self, one: RemoteObject) -> None:
        if one.attributes.get("title"):
            self.do(Kind.ACCOUNT, Action.UPDATE, anchor=one.anchor, attributes={"title": None})

    def move(self, one: RemoteObject) -> None:
        if self.target.capabilities.containers:
            self.do(Kind.ACCOUNT, Action.UPDATE, anchor=one.anchor, container="OU=Elsewhere")

    def turn(self, one: RemoteObject) -> None:
        self.do(Kind.ACCOUNT, Action.DISABLE if one.enabled else Action.ENABLE, anchor=one.anchor)

    def take_out(self, one: RemoteObject) -> None:
        for place in self.live(Kind.MEMBERSHIP) if Kind.MEMBERSHIP in self.target.capabilities.kinds else ():
            if place.account == one.anchor:
                self.do(Kind.MEMBERSHIP, Action.DELETE, anchor=place.group, account=one.anchor)
                return

    def put_in(self, one: RemoteObject) -> None:
        if Kind.MEMBERSHIP not in self.target.capabilities.kinds:
            return
        inside = {place.group for place in self.live(Kind.MEMBERSHIP) if place.account == one.anchor}
        for group in self.live(Kind.GROUP):
            if group.anchor not in inside:
                self.do(Kind.MEMBERSHIP, Action.CREATE, anchor=group.anchor, account=one.anchor)
                return

    def delete(self, one: RemoteObject) -> None:
        self.do(Kind.ACCOUNT, Action.DELETE, anchor=one.anchor)

    def delete_group(self, one: RemoteObject) -> None:
        for place in self.live(Kind.MEMBERSHIP) if Kind.MEMBERSHIP in self.target.capabilities.kinds else ():
            if place.account == one.anchor:
                self.do(Kind.GROUP, Action.DELETE, anchor=place.group)
                return


EDITS = (
    Hands.rename,
    Hands.empty,
    Hands.move,
    Hands.turn,
    Hands.take_out,
    Hands.put_in,
    Hands.delete,
    Hands.delete_group,
)
LASTING = EDITS[:-1]
"""What can be left alone: groups that are gone are always made anew."""


def carry_out(town: Town, edits: list[tuple[str, Callable[[Hands, RemoteObject], None], int]]) -> None:
    """Changes targets by hand."""
    numbers = count()
    for name, edit, place in edits:
        with town.target(name) as target:
            hands = Hands(target, numbers)
            accounts = hands.live(Kind.ACCOUNT)
            edit(hands, accounts[place % len(accounts)])


def edits_of(kinds: tuple[Any, ...]) -> Any:
    """Up to four edits of a sort, each of somebody in a target."""
    one = st.tuples(st.sampled_from(TARGETS), st.sampled_from(kinds), st.integers(0, 40))
    return st.lists(one, min_size=1, max_size=4)


few = settings(
    max_examples=4,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),  # a town is too much to be shrunk
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def _said(_settled_small: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A settled town where the same is said of all hand edits, by policy."""
    made = {}
    for word in ("overwrite", "report"):
        folder = tmp_path_factory.mktemp("said") / word
        shutil.copytree(_settled_small, folder)
        town = Town(folder)
        policies(town, word)
        assert town.later(hours=1).sync().is_complete
        made[word] = folder
    return made


@pytest.fixture
def again(_said: dict[str, Path], tmp_path: Path) -> Callable[[str], Town]:
    """Makes copies of them."""
    numbers = count()

    def made(word: str) -> Town:
        folder = tmp_path / f"again-{next(numbers)}"
        shutil.copytree(_said[word], folder)
        return Town(folder).later(hours=2)

    return made


@few
@given(edits=edits_of(EDITS))
def test_what_is_overwritten_is_as_the_rules_say_again(again: Callable[[str], Town], edits: Any):
    """Whatever somebody did: after reconciling and one run the targets hold what they held before."""
    town = again("overwrite")
    before = content(town)
    carry_out(town, edits)

    reconciled(town)
    assert town.later(hours=1).sync().is_complete

    assert content(town) == before
    assert [one.total for one in reconciled(town).values()] == [0, 0, 0]
    assert_told(town)


@few
@given(edits=edits_of(LASTING))
def test_what_is_reported_survives_every_run(again: Callable[[str], Town], edits: Any):
    """And nothing else changes; everything is known as it is, and waits for a decision."""
    town = again("report")
    carry_out(town, edits)
    after = content(town)

    for _ in range(2):
        reconciled(town)
        assert town.later(hours=1).sync().is_complete
        with town.state() as connection:
            people = connection.scalars(select(tables.people.c.id)).all()
        town.alter(tables.people.update().where(tables.people.c.id.in_(people)).values(pending=True))

    assert content(town) == after
    assert_told(town)


@pytest.mark.parametrize("engine", ["sqlite", "postgresql"])
def test_hand_edits_are_put_back_or_left_on_both_databases(
    small_town: Town, engine: str, request: pytest.FixtureRequest
):
    """One edit of each sort, a stuck change among them: found, known, overwritten or left, and told by the audit."""
    town = small_town
    if engine == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        town.configure(lambda settings: settings["state"].update(url=url))
    rule(town, "drift: {ad: {container: report}}")
    assert town.sync().is_complete
    renamed, moved, gone = town.working_in("1")[:3]
    name = town.account(f"hr:{renamed}").attributes["displayName"]
    changes: tuple[tuple[str, dict[str, Any]], ...] = (
        (renamed, {"action": Action.UPDATE, "attributes": {"displayName": "By Hand"}}),
        (moved, {"action": Action.UPDATE, "container": "OU=Elsewhere"}),
        (gone, {"action": Action.DELETE}),
    )
    for number, fields in changes:
        anchor = town.account(f"hr:{number}").anchor
        town.carry_out("ad", Operation(number, Kind.ACCOUNT, anchor=anchor, **fields))
    town.end_positions([gone], town.clock.moment.date())
    town.later(days=2).sync()

    found = reconciled(town)["ad"]
    town.later(hours=1).sync()

    assert found.counts == {"account.attributes": 1, "account.container": 1, "account.missing": 1}
    assert found.superseded > 0
    assert town.items() == []
    assert town.account(f"hr:{renamed}").attributes["displayName"] == name
    assert [(row.person, row.present) for row in drift_of(town)] == [(f"hr:{moved}", "OU=Elsewhere")]
    assert town.account(f"hr:{gone}") is None
    assert reconciled(town)["ad"].total == 0
    assert_told(town)


# ---------------------------------------------------------------- the target's own


INITIAL = """accounts:
  - rule: own
    target: ad
    attributes: {extensionAttribute9: "%s"}
    drift: {extensionAttribute9: initial-only}
"""


def test_an_initial_only_attribute_is_written_once(settled_small: Town):
    """At creation; then it is the target's own: whoever had an account before does not get it, nor is it known."""
    town = settled_small
    rule(town, INITIAL % "welcome")
    person = town.hire("9001", "Kari", "Nordmann")
    assert town.later(hours=1).sync().is_complete

    account = town.account(person)
    assert account.attributes["extensionAttribute9"] == "welcome"
    with town.target("ad") as target:
        told = [
            one
            for one in target.read(Kind.ACCOUNT)
            if isinstance(one, RemoteObject) and "extensionAttribute9" in one.attributes
        ]
    assert [one.owner for one in told] == [person]

    town.carry_out(
        "ad",
        Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"extensionAttribute9": "mine"}),
    )
    rule(town, INITIAL % "hello")
    reconciled(town)
    assert town.later(hours=1).sync().is_complete
    assert town.account(person).attributes["extensionAttribute9"] == "mine"

    (town.folder / "rulesets" / "zz-drift.yaml").unlink()
    assert town.later(hours=1).sync().is_complete
    assert town.account(person).attributes["extensionAttribute9"] == "mine"


def test_what_becomes_initial_only_is_forgotten_once_it_differs(settled_small: Town):
    """So that a rule that goes one day does not clear what is the target's by then."""
    town = settled_small
    rule(town, (INITIAL % "welcome").replace("    drift: {extensionAttribute9: initial-only}\n", ""))
    assert town.later(hours=1).sync().is_complete
    person = next(row.person_id for row in town.rows(tables.known_accounts) if row.target == "ad" and row.enabled)
    account = town.account(person)
    town.carry_out(
        "ad",
        Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=account.anchor, attributes={"extensionAttribute9": "mine"}),
    )
    rule(town, INITIAL % "welcome")

    assert reconciled(town)["ad"].total == 0
    (town.folder / "rulesets" / "zz-drift.yaml").unlink()
    assert town.later(hours=1).sync().is_complete

    assert town.account(person).attributes["extensionAttribute9"] == "mine"
    assert verify(town.context).faults == ()


def test_a_container_can_be_the_targets_own(settled_small: Town):
    """Accounts are made where the rules say, and stay where somebody puts them."""
    town = settled_small
    rule(town, "drift: {ad: {container: initial-only}}")
    assert town.later(hours=1).sync().is_complete
    person = next(row.person_id for row in town.rows(tables.known_accounts) if row.target == "ad" and row.enabled)
    moved = Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=town.account(person).anchor, container="OU=Elsewhere")
    town.carry_out("ad", moved)

    assert reconciled(town)["ad"].total == 0
    assert town.later(hours=1).sync().is_complete

    assert town.account(person).container == "OU=Elsewhere"


# ---------------------------------------------------------------- beside everything else


def test_an_account_renamed_by_hand_is_found_by_its_anchor(settled_small: Town):
    """It is neither missing nor made a second time, and is called as the rules say again."""
    town = settled_small
    before = town.content("ad")
    person = next(row.person_id for row in town.rows(tables.known_accounts) if row.target == "ad" and row.enabled)
    renamed = {"sAMAccountName": "somebody", "userPrincipalName": "somebody@example.org"}
    edit = Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=town.account(person).anchor, attributes=renamed)
    town.carry_out("ad", edit)

    assert reconciled(town)["ad"].counts == {"account.attributes": 2}
    assert town.later(hours=1).sync().is_complete

    assert town.content("ad") == before


def test_an_address_written_by_hand_becomes_no_alias(settled_small: Town):
    """It may be somebody else's; what the program wrote itself still does."""
    town = settled_small
    rule(town, "lifecycle: {aliases: {ad: [{attribute: proxyAddresses, of: mail}]}}")
    text = (town.folder / "rulesets" / "common.yaml").read_text(encoding="utf-8")
    (town.folder / "rulesets" / "common.yaml").write_text(text.partition("\nlifecycle:")[0] + "\n", encoding="utf-8")
    assert town.later(hours=1).sync().is_complete
    person = next(row.person_id for row in town.rows(tables.known_accounts) if row.target == "ad" and row.enabled)
    before = town.account(person)
    edit = {"mail": "mayor@example.org"}
    town.carry_out("ad", Operation("1", Kind.ACCOUNT, Action.UPDATE, anchor=before.anchor, attributes=edit))

    reconciled(town)
    assert town.later(hours=1).sync().is_complete

    assert town.account(person) == before


def test_a_leaver_whose_account_somebody_enabled_is_disabled_again(settled_small: Town):
    """And retention begins anew: somebody needed the account."""
    town = settled_small
    number = town.working_in("1")[0]
    town.end_positions([number], town.clock.moment.date())
    town.later(days=2).sync()
    account = town.account(f"hr:{number}")
    assert not account.enabled
    town.carry_out("ad", Operation("1", Kind.ACCOUNT, Action.ENABLE, anchor=account.anchor))

    assert reconciled(town)["ad"].counts == {"account.enabled": 1}
    town.later(days=1).sync()

    assert not town.account(f"hr:{number}").enabled
    (known,) = [
        row for row in town.rows(tables.known_accounts) if (row.person_id, row.target) == (f"hr:{number}", "ad")
    ]
    assert known.deactivated_on == town.clock.moment.date().isoformat()


def test_an_account_deleted_by_hand_and_then_disabled_by_a_plan_comes_to_an_end(settled_small: Town):
    """The dead letter says what to run; that learns that the account is gone, and nothing is left in the queue."""
    town = settled_small
    number = town.working_in("1")[0]
    person = f"hr:{number}"
    town.carry_out("ad", Operation("1", Kind.ACCOUNT, Action.DELETE, anchor=town.account(person).anchor))
    town.end_positions([number], town.clock.moment.date())
    town.later(days=2).sync()
    (dead,) = town.items(State.DEAD)
    assert "'eadm-sync reconcile ad'" in (dead.last_error or "")

    found = reconciled(town)["ad"]

    assert (found.counts, found.superseded) == ({"account.missing": 1}, len(town.items(State.DROPPED)))
    assert dead.id in [item.id for item in town.items(State.DROPPED)]
    assert town.items() == []
    assert town.later(hours=1).sync().is_complete
    assert town.account(person) is None
    assert_told(town)


def test_what_is_held_behind_a_dead_letter_is_planned_anew_from_what_is_there(settled_small: Town):
    """Known state is put right though the object's changes are stuck; what was computed from the former one goes."""
    town = settled_small
    number = town.working_in("1")[0]
    person = f"hr:{number}"
    anchor = town.account(person).anchor
    before = town.content("ad")
    town.fail("ad", {"kind": "rejected", "every": 1, "action": "update"})
    town.carry_out("ad", Operation("1", Kind.ACCOUNT, Action.DISABLE, anchor=anchor))
    rule(town, "accounts:\n  - rule: more\n    target: ad\n    attributes: {extensionAttribute9: word}")
    town.later(hours=1).sync()
    assert {item.state for item in town.items()} == {State.DEAD}
    (town.folder / "rulesets" / "zz-drift.yaml").unlink()
    town.fail("ad")
    policies(town, "overwrite")

    found = reconciled(town)["ad"]

    assert found.counts == {"account.disabled": 1}
    assert found.superseded == 1
    assert town.later(hours=1).sync().is_complete
    assert town.items() == []
    assert town.content("ad") == before


def test_undoing_a_reconciliation_takes_nothing_back(settled_small: Town):
    """It changed no target: what it found was done by others."""
    town = settled_small
    person = next(row.person_id for row in town.rows(tables.known_accounts) if row.target == "ad" and row.enabled)
    edit = Operation("1", Kind.ACCOUNT, Action.DISABLE, anchor=town.account(person).anchor)
    town.carry_out("ad", edit)
    reconciled(town)
    run = max(row.id for row in town.rows(tables.runs))

    context = town.context
    with context.reading() as database, undone(context, database, run) as made:
        assert (made.plan.changes, made.kept) == (0, ())


def test_what_waits_goes_with_the_account(settled_small: Town):
    """Nobody has to decide about somebody who is gone; a leaver's account is put away whatever was changed in it."""
    town = settled_small
    number = town.working_in("1")[0]
    rule(town, "drift: {ad: {attributes: report}}")
    edit = Operation(
        "1",
        Kind.ACCOUNT,
        Action.UPDATE,
        anchor=town.account(f"hr:{number}").anchor,
        attributes={"displayName": "By Hand"},
    )
    town.carry_out("ad", edit)
    reconciled(town)
    assert len(left_alone(town.context)) == 1

    town.end_positions([number], town.clock.moment.date())
    town.later(days=2).sync()
    town.later(days=400).sync()
    town.later(days=400).sync()
    assert town.account(f"hr:{number}") is None

    reconciled(town)
    assert left_alone(town.context) == ()
