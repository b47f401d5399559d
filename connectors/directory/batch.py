"""What each operation means to a directory. One batch, one transaction; one outcome per operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import msgspec

from connectors.contract import Action, Kind, Operation, Outcome, RemoteObject, Value
from connectors.directory.cleaning import check_complete, check_texts, clean
from connectors.directory.schema import GONE, LIVE, RECYCLED
from connectors.directory.settings import Profile
from connectors.directory.working_set import Entry, WorkingSet
from connectors.errors import AlreadyExists, ConnectorError, NotFound, Rejected

NewAnchor = Callable[[int], str]
"""Makes the anchor of a new object from its number in the file; no two numbers may give the same."""


class Effect(msgspec.Struct, frozen=True):
    """What one operation changed; operations that changed nothing have none.

    Attributes:
        action: What was done. A create that found its object already made is an UPDATE.
        before: The object before, or None where it is new.
        after: The object now, or None where it is gone or in the recycle bin.
    """

    action: Action
    before: RemoteObject | None
    after: RemoteObject | None


class Batch:
    """Carries out operations against a working set.

    Attributes:
        effects: What changed, in the order of the operations; empty where nobody records it.
    """

    def __init__(self, work: WorkingSet, profile: Profile, new_anchor: NewAnchor, *, recording: bool) -> None:
        self._work = work
        self._profile = profile
        self._new_anchor = new_anchor
        self._recording = recording
        self._used: dict[str, int] = {}
        self.effects: list[Effect] = []

    def run(self, operations: Sequence[Operation]) -> list[Outcome]:
        """One outcome per operation, in their order. The caller saves the working set and commits."""
        checked = [self._check(operation) for operation in operations]
        self._work.load(
            [
                (operation, attributes)
                for operation, attributes in zip(operations, checked, strict=True)
                if not isinstance(attributes, ConnectorError)
            ]
        )
        return [self._outcome(*pair) for pair in zip(operations, checked, strict=True)]

    def _check(self, operation: Operation) -> dict[str, Value] | Rejected:
        """The operation's cleaned attributes, or why it is refused whatever the directory holds."""
        try:
            check_texts(operation, self._profile.encoding)
            self._check_possible(operation)
            rules = self._profile.rules.get(operation.kind)
            return clean(operation.attributes, rules) if rules else {}
        except Rejected as error:
            return error

    def _check_possible(self, operation: Operation) -> None:
        able = self._profile.capabilities
        if operation.kind not in able.kinds:
            raise Rejected(f"there is no {operation.kind} here")
        if operation.action not in _MEANINGS[operation.kind]:
            raise Rejected(f"a {operation.kind} cannot be subject to {operation.action}")
        if operation.container and not able.containers:
            raise Rejected("there are no containers here", "container")

    def _outcome(self, operation: Operation, attributes: dict[str, Value] | ConnectorError) -> Outcome:
        if isinstance(attributes, ConnectorError):
            return Outcome(operation.id, attributes)
        try:
            anchor = _MEANINGS[operation.kind][operation.action](self, operation, attributes)
        except ConnectorError as error:
            return Outcome(operation.id, error)
        asked = operation.attributes
        if attributes == asked:
            return Outcome(operation.id, None, anchor)
        return Outcome(operation.id, None, anchor, {k: v for k, v in attributes.items() if v != asked[k]})

    # ------------------------------------------------------------ accounts and groups

    def _create(self, operation: Operation, attributes: dict[str, Value]) -> str:
        made = self._work.made_by(operation)
        if made:
            self._change(made, attributes, operation.container, operation.enabled)
            return made.anchor
        kind = operation.kind
        held: dict[str, Value] = {name: value for name, value in attributes.items() if value is not None}
        check_complete(held, self._profile.rules[kind])
        self._refuse_taken(None, kind, held)
        number = self._work.new_id()
        container = self._profile.default_container if operation.container is None else operation.container
        enabled = operation.enabled is not False if kind is Kind.ACCOUNT else None
        anchor = self._new_anchor(number)
        entry = Entry(number, anchor, kind, operation.owner, operation.id, container, enabled, LIVE, held)
        self._work.touch(entry)
        self._note(Action.CREATE, None, entry)
        return anchor

    def _update(self, operation: Operation, attributes: dict[str, Value]) -> str:
        entry = self._live(operation)
        self._change(entry, attributes, operation.container, None)
        return entry.anchor

    def _enable(self, operation: Operation, _: object) -> str:
        entry = self._live(operation)
        self._change(entry, {}, None, enabled=True)
        return entry.anchor

    def _disable(self, operation: Operation, _: object) -> str:
        entry = self._live(operation)
        self._change(entry, {}, None, enabled=False)
        return entry.anchor

    def _delete(self, operation: Operation, _: object) -> str | None:
        entry = self._work.entry(operation.kind, operation.anchor)
        recycle = self._profile.capabilities.soft_delete and not operation.permanent and operation.kind is Kind.ACCOUNT
        if entry is None or (recycle and entry.state == RECYCLED):
            return operation.anchor
        before = self._image(entry) if entry.state == LIVE else None
        entry.state = RECYCLED if recycle else GONE
        if entry.state == GONE:
            entry.attributes = {}  # what is gone leaves its anchor and nothing of the person
        self._work.remove_links(entry)
        self._work.touch(entry)
        if before:
            self._note(Action.DELETE, before, None)
        return entry.anchor

    def _restore(self, operation: Operation, _: object) -> str:
        if not self._profile.capabilities.soft_delete:
            raise Rejected("there is no recycle bin here")
        entry = self._work.entry(operation.kind, operation.anchor)
        if entry is None:
            raise NotFound(operation.kind, operation.anchor or "")
        if entry.state == RECYCLED:
            self._refuse_taken(entry.id, entry.kind, entry.attributes)
            if self._work.owner_is_taken(entry):
                raise AlreadyExists("its owner has another account by now")
            entry.state, entry.enabled = LIVE, False
            self._work.touch(entry)
            self._note(Action.RESTORE, None, entry)
            return entry.anchor
        return self._disable(operation, _)

    def _change(
        self, entry: Entry, attributes: Mapping[str, Value], container: str | None, enabled: bool | None
    ) -> None:
        """Makes a live object hold what is asked; a change that changes nothing leaves no trace."""
        wanted = {**entry.attributes, **attributes}
        held: dict[str, Value] = {name: value for name, value in wanted.items() if value is not None}
        place = entry.container if container is None else container
        state = entry.enabled if enabled is None else enabled
        if (held, place, state) == (entry.attributes, entry.container, entry.enabled):
            return
        self._refuse_taken(entry.id, entry.kind, attributes)
        before = self._image(entry)
        entry.attributes, entry.container, entry.enabled = held, place, state
        self._work.touch(entry)
        self._note(Action.UPDATE, before, entry)

    def _live(self, operation: Operation) -> Entry:
        entry = self._work.entry(operation.kind, operation.anchor)
        if entry is None or entry.state != LIVE:
            raise NotFound(operation.kind, operation.anchor or "")
        return entry

    def _refuse_taken(self, entry_id: int | None, kind: Kind, attributes: Mapping[str, Value]) -> None:
        name = self._work.taken(entry_id, kind, attributes)
        if name:
            raise AlreadyExists(f"another {kind} has this value", name)

    def _image(self, entry: Entry) -> RemoteObject | None:
        """An object as it is now, where somebody records what changes."""
        return remote(entry) if self._recording else None

    def _note(self, action: Action, before: RemoteObject | None, after: Entry | None) -> None:
        if self._recording:
            self.effects.append(Effect(action, before, remote(after) if after else None))

    def _note_link(self, action: Action, operation: Operation) -> None:
        if self._recording:
            link = _link(operation)
            is_new = action is Action.CREATE
            self.effects.append(Effect(action, None if is_new else link, link if is_new else None))

    # ------------------------------------------------------------ memberships, nestings and licences

    def _join(self, operation: Operation, _: object) -> str:
        group, account = self._end(Kind.GROUP, operation.anchor), self._end(Kind.ACCOUNT, operation.account)
        former = self._work.memberships.get((group, account))
        if former != operation.role:
            self._work.memberships[group, account] = operation.role
            self._note_link(Action.CREATE, operation)
        return f"{operation.anchor}/{operation.account}"

    def _leave(self, operation: Operation, _: object) -> None:
        """Ends the membership in that role; one in another role stands, so that a role changes in any order."""
        pair = self._ends(operation.anchor, operation.account)
        if pair and self._work.memberships.get(pair) == operation.role:
            self._work.memberships[pair] = None
            self._note_link(Action.DELETE, operation)

    def _nest(self, operation: Operation, _: object) -> str:
        group, member = self._end(Kind.GROUP, operation.anchor), self._end(Kind.GROUP, operation.member)
        if not self._work.nestings.get((group, member)):
            if self._work.is_within(group, member):
                raise Rejected("a group cannot be in itself", "member")
            self._work.nestings[group, member] = True
            self._note_link(Action.CREATE, operation)
        return f"{operation.anchor}/{operation.member}"

    def _unnest(self, operation: Operation, _: object) -> None:
        pair = self._ends(operation.anchor, operation.member)
        if pair and self._work.nestings.get(pair):
            self._work.nestings[pair] = False
            self._note_link(Action.DELETE, operation)

    def _grant(self, operation: Operation, _: object) -> str:
        account, sku = self._end(Kind.ACCOUNT, operation.account), self._sku(operation)
        if not self._work.licences.get((account, sku)):
            self._take_seat(sku)
            self._work.licences[account, sku] = True
            self._note_link(Action.CREATE, operation)
        return f"{operation.account}/{sku}"

    def _withdraw(self, operation: Operation, _: object) -> None:
        account, sku = self._work.live.get(operation.account or ""), operation.sku or ""
        if account and self._work.licences.get((account[0], sku)):
            self._work.licences[account[0], sku] = False
            self._used[sku] = self._seats_used(sku) - 1
            self._note_link(Action.DELETE, operation)

    def _end(self, kind: Kind, anchor: str | None) -> int:
        """The id of the live object that one end of a membership, nesting or licence names."""
        found = self._work.live.get(anchor or "")
        if found is None or found[1] is not kind:
            raise NotFound(kind, anchor or "")
        return found[0]

    def _ends(self, group: str | None, member: str | None) -> tuple[int, int] | None:
        ends = self._work.live.get(group or ""), self._work.live.get(member or "")
        return (ends[0][0], ends[1][0]) if ends[0] and ends[1] else None

    def _sku(self, operation: Operation) -> str:
        sku, seats = operation.sku, self._profile.seats
        if not sku or (seats and sku not in seats):
            raise Rejected("there is no such licence", "sku")
        return sku

    def _take_seat(self, sku: str) -> None:
        total = self._profile.seats.get(sku)
        if total is not None:
            used = self._seats_used(sku)
            if used >= total:
                raise Rejected(f"all {total} seats are taken", "sku")
            self._used[sku] = used + 1

    def _seats_used(self, sku: str) -> int:
        if sku not in self._used:
            self._used[sku] = self._work.used_seats(sku)
        return self._used[sku]


def remote(entry: Entry) -> RemoteObject:
    """A live object as `read` tells of it."""
    return RemoteObject(
        entry.kind,
        entry.anchor,
        dict(entry.attributes),
        container=entry.container,
        enabled=entry.enabled,
        owner=entry.owner,
    )


def _link(operation: Operation) -> RemoteObject:
    group, account, sku = operation.anchor, operation.account, operation.sku
    if operation.kind is Kind.MEMBERSHIP:
        anchor = f"{group}/{account}"
        return RemoteObject(Kind.MEMBERSHIP, anchor, group=group, account=account, role=operation.role)
    if operation.kind is Kind.NESTING:
        return RemoteObject(Kind.NESTING, f"{group}/{operation.member}", group=group, member=operation.member)
    return RemoteObject(Kind.LICENCE, f"{account}/{sku}", account=account, sku=sku)


_Meaning = Callable[[Batch, Operation, dict[str, Value]], str | None]
# ruff: noqa: SLF001 - the table below is part of the class, which must exist first
_MEANINGS: Mapping[Kind, Mapping[Action, _Meaning]] = {
    Kind.ACCOUNT: {
        Action.CREATE: Batch._create,
        Action.UPDATE: Batch._update,
        Action.ENABLE: Batch._enable,
        Action.DISABLE: Batch._disable,
        Action.DELETE: Batch._delete,
        Action.RESTORE: Batch._restore,
    },
    Kind.GROUP: {Action.CREATE: Batch._create, Action.UPDATE: Batch._update, Action.DELETE: Batch._delete},
    Kind.MEMBERSHIP: {Action.CREATE: Batch._join, Action.DELETE: Batch._leave},
    Kind.NESTING: {Action.CREATE: Batch._nest, Action.DELETE: Batch._unnest},
    Kind.LICENCE: {Action.CREATE: Batch._grant, Action.DELETE: Batch._withdraw},
}
