"""What each operation on a group means to Active Directory. Chains of requests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from connectors.active_directory import objects
from connectors.active_directory.ber import Change, How
from connectors.active_directory.look import Seen
from connectors.active_directory.objects import Made, Situation
from connectors.active_directory.pipeline import Chain
from connectors.active_directory.schema import ACCOUNT_NAME
from connectors.active_directory.settings import mark_of
from connectors.active_directory.values import UNIVERSAL, group_type, scope_of
from connectors.contract import Action, Operation, Outcome
from connectors.errors import Protected

_NEW = ("groupScope", "groupCategory")


@dataclass(frozen=True)
class Groups:
    """Carries out operations on groups."""

    situation: Situation

    def chain(self, operation: Operation) -> Chain[Outcome | Made]:
        """What is to be done, request by request.

        Raises:
            ConnectorError: It is refused.
        """
        if operation.action is Action.CREATE:
            return self._create(operation)
        return self._update(operation) if operation.action is Action.UPDATE else self._delete(operation)

    def _create(self, operation: Operation) -> Chain[Outcome | Made]:
        objects.check_complete(operation, self.situation.rules)
        name = str(operation.attributes[ACCOUNT_NAME])
        for called in (name, *operation.earlier_names):
            there = self.situation.look.names.get(called.casefold())
            if there is not None and there.mark == mark_of(operation):
                return (yield from self._change(operation, there))
        want = objects.wanted(operation, self.situation.rules, self.situation.look)
        fixed = {
            "groupType": [b"%d" % group_type(operation.attributes)],
            self.situation.rules.mark: [mark_of(operation).encode()],
        }
        cn = yield from objects.add(self.situation, operation, want, fixed)
        stored = {**want.stored, "cn": cn} if want.cn not in (None, cn) else want.stored
        return Made(operation, name, stored, want.warning)

    def _update(self, operation: Operation) -> Chain[Outcome | Made]:
        return (yield from self._change(operation, self.situation.live(operation)))

    def _change(self, operation: Operation, seen: Seen) -> Chain[Outcome | Made]:
        want = objects.wanted(operation, self.situation.rules, self.situation.look)
        *first, last = self._types(operation, seen)
        for type_ in first:
            yield from objects.modify(self.situation, operation, seen, [_of_type(type_)])
        changes = objects.changes_of(want.values)
        if last != seen.group_type:
            changes.append(_of_type(last))
        yield from objects.modify(self.situation, operation, seen, changes)
        cn = yield from objects.relocate(self.situation, operation, seen, objects.named_after(operation, seen, want))
        return objects.done(operation, seen, want, cn)

    def _types(self, operation: Operation, seen: Seen) -> Sequence[int]:
        """The types a group goes through: from global to domain-local and back leads over universal only."""
        asked = {name: operation.attributes[name] for name in _NEW if name in operation.attributes}
        type_ = group_type(asked, seen.group_type)
        scopes = {scope_of(seen.group_type), scope_of(type_)}
        between = group_type({"groupScope": UNIVERSAL}, seen.group_type)
        return [between, type_] if scopes == {"global", "domain_local"} else [type_]

    def _delete(self, operation: Operation) -> Chain[Outcome | Made]:
        seen = self.situation.look.live(operation.kind, operation.anchor)
        if seen is None:
            return Outcome(operation.id, None, operation.anchor)
        if seen.protected:
            raise Protected(f"is protected and never changed: {seen.protected}")
        error = yield from objects.delete(self.situation, operation, seen)
        return Outcome(operation.id, error, None if error else seen.anchor)


def _of_type(type_: int) -> Change:
    return Change(How.REPLACE, "groupType", [b"%d" % type_])
