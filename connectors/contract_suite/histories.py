"""Random histories of operations, held against a model of a few dictionaries."""
# ruff: noqa: S101 - asserting is what a test suite does

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.contract import Action, Kind, Operation, Value
from connectors.contract_suite.base import Hand, TargetFixtures, operation, outcomes_by_id, unused_name
from connectors.errors import AlreadyExists, ConnectorError, NotFound

_ACCOUNTS, _GROUPS, _NAMES = 4, 2, 4  # few, so that histories come back to the same objects
_NEVER_MADE = "00000000-0000-4000-8000-000000000000"


class Step(NamedTuple):
    """One thing that happens to the account in one of the model's slots.

    Attributes:
        act: An action on accounts, or "join", "leave".
        account: The account's slot.
        name: Which of the names, for create and update.
        text: The free text, for create and update; None clears it.
        group: The group's slot, for join and leave.
    """

    act: str
    account: int
    name: int
    text: str | None
    group: int


class _Account:
    """An account as it should be; `anchor` stays known after it is deleted."""

    def __init__(self) -> None:
        self.owner = unused_name()
        self.anchor = _NEVER_MADE
        self.name: int | None = None
        self.text: str | None = None
        self.enabled = True
        self.alive = False


_STEPS = st.builds(
    Step,
    st.sampled_from([*(str(one) for one in Action if one not in {Action.RESTORE, Action.ADOPT}), "join", "leave"]),
    st.integers(0, _ACCOUNTS - 1),
    st.integers(0, _NAMES - 1),
    st.none() | st.sampled_from(["Åse", "Bjørn", "Čearru"]),
    st.integers(0, _GROUPS - 1),
)


class HistoryContract(TargetFixtures):
    """Whatever is done in whatever order, a target holds what a dictionary would."""

    @settings(
        max_examples=25,
        deadline=None,
        # Every example works on objects of its own, in whichever target the subclass opens.
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.differing_executors],
    )
    @given(batches=st.lists(st.lists(_STEPS, min_size=1, max_size=4), max_size=8), repeat=st.booleans())
    def test_a_target_is_a_dictionary_with_manners(self, hand: Hand, batches: list[list[Step]], repeat: bool) -> None:
        """Batches of any operations end in the state and the outcomes that the model says, also when repeated."""
        history = _History(hand, self)
        for batch in batches:
            history.happen(batch, repeat=repeat)
        history.compare()


class _History:
    """The model, and the target that has to be like it."""

    def __init__(self, hand: Hand, suite: TargetFixtures) -> None:
        self._hand = hand
        self._suite = suite
        self._names = [hand.unused_name() for _ in range(_NAMES)]
        self._accounts = [_Account() for _ in range(_ACCOUNTS)]
        linked = {Kind.GROUP, Kind.MEMBERSHIP} <= hand.able.kinds
        self._groups = [hand.group() for _ in range(_GROUPS)] if linked else []
        self._members: set[tuple[int, int]] = set()

    def happen(self, steps: Sequence[Step], *, repeat: bool) -> None:
        """One batch of the steps that do not depend on one another; `repeat` delivers it twice."""
        batch: list[tuple[Step, Operation, type[ConnectorError] | None]] = []
        slots: set[int] = set()
        names: set[int | None] = set()
        for step in steps[: self._hand.able.batch_size]:
            touched = self._names_touched(step)
            if step.account in slots or touched & names or (step.act in ("join", "leave") and not self._groups):
                continue
            slots.add(step.account)
            names |= touched
            wanted = self._operation(step)
            batch.append((step, wanted, self._model(step)))
        operations = [wanted for _, wanted, _ in batch]
        for _ in range(1 + repeat):
            outcomes = outcomes_by_id(self._hand.target, operations)
            for step, wanted, expected in batch:
                error = outcomes[wanted.id].error
                assert type(error) is (expected or type(None)), f"{step}: {error!r}"
                if step.act == Action.CREATE and not error:
                    self._accounts[step.account].anchor = str(outcomes[wanted.id].anchor)

    def compare(self) -> None:
        """The target holds the model's accounts and memberships, and none that the model has deleted."""
        found = self._hand.objects(Kind.ACCOUNT)
        for account in self._accounts:
            assert (account.anchor in found) is account.alive
            if account.alive:
                held = found[account.anchor]
                assert held.attributes.get(self._hand.able.account_name) == self._names[account.name or 0]
                assert held.attributes.get(self._suite.text_attribute) == account.text
                assert held.enabled is account.enabled
        if self._groups:
            groups = {anchor: number for number, anchor in enumerate(self._groups)}
            accounts = {account.anchor: number for number, account in enumerate(self._accounts)}
            members = self._hand.objects(Kind.MEMBERSHIP).values()
            assert {
                (groups[str(item.group)], accounts[str(item.account)]) for item in members if item.group in groups
            } == self._members

    def _names_touched(self, step: Step) -> set[int | None]:
        """The names that a step takes or lets go of: two steps of one batch must not meet in them."""
        if step.act in (Action.CREATE, Action.UPDATE):
            return {step.name, self._accounts[step.account].name} - {None}
        return {self._accounts[step.account].name} - {None} if step.act == Action.DELETE else set()

    def _operation(self, step: Step) -> Operation:
        account = self._accounts[step.account]
        attributes: dict[str, Value] = {
            **self._suite.account_attributes(self._names[step.name], self._hand.able),
            self._suite.text_attribute: step.text,
        }
        if step.act == "join":
            return self._hand.membership(Action.CREATE, self._groups[step.group], account.anchor)
        if step.act == "leave":
            return self._hand.membership(Action.DELETE, self._groups[step.group], account.anchor)
        if step.act == Action.CREATE:
            return operation(
                Kind.ACCOUNT, Action.CREATE, owner=account.owner, attributes=attributes, enabled=account.enabled
            )
        changes = attributes if step.act == Action.UPDATE else {}
        permanent = step.act == Action.DELETE
        return operation(Kind.ACCOUNT, Action(step.act), anchor=account.anchor, attributes=changes, permanent=permanent)

    def _model(self, step: Step) -> type[ConnectorError] | None:
        """Lets a step happen to the model; the error that it ends in, or None."""
        account = self._accounts[step.account]
        if step.act == Action.DELETE:
            account.alive, account.name, account.enabled = False, None, True
            self._members = {pair for pair in self._members if pair[1] != step.account}
        elif step.act == "leave":
            self._members.discard((step.group, step.account))
        elif step.act != Action.CREATE and not account.alive:
            return NotFound
        elif step.act == "join":
            self._members.add((step.group, step.account))
        elif step.act in (Action.ENABLE, Action.DISABLE):
            account.enabled = step.act == Action.ENABLE
        elif any(other.name == step.name for other in self._accounts if other is not account):
            return AlreadyExists
        else:
            account.alive, account.name, account.text = True, step.name, step.text
        return None
