"""Compares what a target holds with what it is known to hold, object by object. Pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field

import msgspec

from connectors.contract import Kind, RemoteObject
from eadm_sync.app.holdings import Holding, Holdings, Link, Pair, decode
from eadm_sync.model import Sealed
from eadm_sync.plan.change import group_key, licence_key, membership_key, nesting_key
from eadm_sync.plan.differences import moves
from eadm_sync.state.drift import ATTRIBUTES, CONTAINER, DISABLED, ENABLED, IN_BIN, MISSING, ROLE, UNEXPECTED, Value

_UNSET: tuple[object, ...] = (None, "", [])
"""What targets tell no difference between."""


class Found(msgspec.Struct, frozen=True):
    """One thing that is not as it was left.

    Attributes:
        kind: Account, group, membership, nesting or licence.
        object: Its key, as the export queue has it.
        what: attributes, container, enabled, disabled, missing, unexpected or role (`state.drift`).
        name: The attribute, or "".
        holding: The account or the group, as known; of a link, the group, or for a licence the account.
        link: The membership, nesting or licence, as known, or as it would be if somebody here had given it.
        former: What was known; sealed where it is.
        present: What is there; sealed where what was known is.
        in_bin: For an account that is missing: it is in the target's recycle bin.
    """

    kind: Kind
    object: str
    what: str
    name: str = ""
    holding: Holding | None = None
    link: Link | None = None
    former: Value = None
    present: Value = None
    in_bin: bool = False

    @property
    def person(self) -> str | None:
        """Id of whose it is; None of groups and nestings."""
        if self.kind in {Kind.GROUP, Kind.NESTING}:
            return None
        return self.link.whose if self.link is not None else self.holding.name if self.holding is not None else None

    @property
    def group(self) -> str | None:
        """Key of the group that it is, or that is in another one; None of what is a person's."""
        if self.person is not None:
            return None
        return self.link.whose if self.link is not None else self.holding.name if self.holding is not None else None

    @property
    def subject(self) -> str:
        """Under what the export queue has changes that were computed from what was known of it."""
        return self.person if self.person is not None else group_key(self.group or "")


Seal = Callable[[str, str], Sealed]
"""(plain value, attribute) → sealed value."""


@dataclass
class Comparison:
    """Takes the target's objects one by one; what was not met in the end is missing.

    Attributes:
        known: What the target is known to hold.
        digest: (attribute, plain value) → keyed hash.
        seal: Seals what is there of an attribute that is known sealed.
        names: Attributes that were asked for, by kind; no others are compared.
        partial: Kinds of which only what changed was read: what was not met there is not missing.
        keeps_deleted: Whether accounts that are told to be deleted can be taken back.
        found: What differs.
        compared: Objects of ours that were looked at, and what hangs on them.
        protected: (kind, account or group as known, whether the target protects it), where that is not known so.
    """

    known: Holdings
    digest: Callable[[str, str], bytes]
    seal: Seal
    names: Mapping[Kind, Collection[str]]
    partial: set[Kind] = field(default_factory=set)
    keeps_deleted: bool = False
    found: list[Found] = field(default_factory=list)
    compared: int = 0
    protected: list[tuple[Kind, Holding, bool]] = field(default_factory=list)
    _met: set[str] = field(default_factory=set)
    _deleted: dict[str, bool] = field(default_factory=dict)
    _ended: set[str] = field(default_factory=set)

    def look_at(self, one: RemoteObject) -> None:
        """Compares one object, if it is ours or about ours."""
        if one.kind in {Kind.ACCOUNT, Kind.GROUP}:
            self._look_at_object(one)
        elif one.kind in self.known.links:
            self._look_at_link(one)

    @property
    def all_met(self) -> frozenset[str]:
        """Keys of all objects that were seen to be there."""
        return frozenset(self._met)

    def missing(self) -> Iterator[Found]:
        """What is known and is gone; what hangs on an object that is gone itself goes without saying."""
        gone: set[str] = set()
        for kind in (Kind.ACCOUNT, Kind.GROUP):
            for anchor, one in self.known.objects(kind).items():
                if one.key in self._met or (kind in self.partial and anchor not in self._deleted):
                    continue
                gone.add(anchor)
                in_bin = self.keeps_deleted and self._deleted.get(anchor, False)
                present = IN_BIN if in_bin else None
                yield Found(kind, one.key, MISSING, holding=one, present=present, in_bin=in_bin)
        for kind, links in self.known.links.items():
            for pair, link in links.items():
                unseen = kind not in self.partial or link.key in self._ended
                if link.key not in self._met and unseen and gone.isdisjoint(pair):
                    yield Found(kind, link.key, MISSING, holding=self.known.ends(kind, pair)[0], link=link)

    # ------------------------------------------------------------ accounts and groups

    def _look_at_object(self, one: RemoteObject) -> None:
        known = self.known.objects(one.kind).get(one.anchor)
        if known is None:
            return
        if one.deleted:
            self._deleted[one.anchor] = one.kind is Kind.ACCOUNT
            return
        self._meet(known.key)
        if one.protected != known.protected:
            self.protected.append((one.kind, known, one.protected))
        self.found += self._attributes(one, known)
        if moves(one.container, known.container):
            self._note(one.kind, known, CONTAINER, former=known.container, present=one.container)
        if one.kind is Kind.ACCOUNT and one.enabled is not None and one.enabled != known.enabled:
            self._note(one.kind, known, ENABLED if one.enabled else DISABLED, former=known.enabled, present=one.enabled)

    def _note(self, kind: Kind, known: Holding, what: str, *, former: Value, present: Value) -> None:
        self.found.append(Found(kind, known.key, what, holding=known, former=former, present=present))

    def _attributes(self, one: RemoteObject, known: Holding) -> Iterator[Found]:
        """Those that we set and that are otherwise; what others set beside them is theirs."""
        asked = self.names[one.kind]
        for name, value in decode(known.attributes).items():
            if name not in asked:
                continue
            there: Value = one.attributes.get(name)
            if isinstance(value, Sealed):
                if isinstance(there, str) and self.digest(name, there) == value.digest:
                    continue
                there = self.seal(there, name) if isinstance(there, str) else None
            elif _same(value, there):
                continue
            yield Found(one.kind, known.key, ATTRIBUTES, name, holding=known, former=value, present=there)

    # ------------------------------------------------------------ memberships, nestings, licences

    def _look_at_link(self, one: RemoteObject) -> None:
        pair = _pair(one)
        known = self.known.links[one.kind].get(pair)
        if one.deleted:
            if known is not None:
                self._ended.add(known.key)
            return
        if known is None:
            self._look_at_unexpected(one, pair)
            return
        self._meet(known.key)
        if one.kind is Kind.MEMBERSHIP and one.role != known.role:
            group, _ = self.known.ends(one.kind, pair)
            found = Found(one.kind, known.key, ROLE, holding=group, link=known, former=known.role, present=one.role)
            self.found.append(found)

    def _look_at_unexpected(self, one: RemoteObject, pair: Pair) -> None:
        first, second = self.known.ends(one.kind, pair)
        if first is None:
            return
        if one.kind is Kind.LICENCE:
            if one.sku not in self.known.skus:
                return
            sku = one.sku or ""
            rule = self.known.skus[sku]
            link = Link(licence_key(first.name, sku), first.name, sku, "", rule, first.version)
        elif second is None:
            return
        elif one.kind is Kind.MEMBERSHIP:
            key = membership_key(second.name, first.name)
            link = Link(key, second.name, first.name, one.role, first.rule, first.version)
        else:  # given by the rule of the group that is in the other, which says what that one is in
            key = nesting_key(second.name, first.name)
            link = Link(key, second.name, first.name, "", second.rule, second.version)
        self.compared += 1
        self.found.append(Found(one.kind, link.key, UNEXPECTED, holding=first, link=link))

    def _meet(self, key: str) -> None:
        self.compared += 1
        self._met.add(key)


def _pair(one: RemoteObject) -> Pair:
    match one.kind:
        case Kind.MEMBERSHIP:
            pair = one.group, one.account
        case Kind.NESTING:
            pair = one.group, one.member
        case _:
            pair = one.account, one.sku
    if None in pair:  # what is gone may be told by its anchor only
        first, _, second = one.anchor.partition("/")
        return first, second
    return pair[0] or "", pair[1] or ""


def _same(known: Value, there: Value) -> bool:
    if isinstance(known, list) and isinstance(there, list):
        return sorted(known) == sorted(there)
    return known == there or (known in _UNSET and there in _UNSET)
