"""What differs between what the rules say of an account or a group and what a target is known to hold. Pure."""

from __future__ import annotations

from collections.abc import Collection, Container, Mapping

from eadm_sync.correlation import is_same_container
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Value
from eadm_sync.ruleset.rules import CONTAINER, INITIAL_ONLY
from eadm_sync.state.drift import ATTRIBUTES, aspect
from eadm_sync.state.known import KnownAccount, KnownGroup


def initial_only(policies: Mapping[str, str], names: Collection[str]) -> frozenset[str]:
    """Those of some attributes that are written at creation only."""
    return frozenset(name for name in names if policies.get(name) == INITIAL_ONLY) if policies else frozenset()


def left_alone(left: Container[str], names: Collection[str]) -> frozenset[str]:
    """Those of some attributes that somebody changed by hand and that stay so until somebody decides otherwise."""
    return frozenset(name for name in names if aspect(ATTRIBUTES, name) in left) if left else frozenset()


def keeps_place(policies: Mapping[str, str], left: Container[str]) -> bool:
    """Whether an object stays where it is, wherever the rules would have it."""
    return policies.get(CONTAINER) == INITIAL_ONLY or CONTAINER in left


def differing(
    wanted: Mapping[str, Value],
    held: KnownAccount | KnownGroup,
    kept: Container[str] = (),
    untouched: Container[str] = (),
) -> dict[str, tuple[Value, Value]]:
    """Name → (old, new) of what differs.

    What we set and no rule sets any more is cleared, but for `kept`: otherwise a title would outlive the position that
    it came with. What we never set is not known, and never touched. Nor is what is `untouched`.
    """
    known = held.attributes
    found = {name: (known.get(name), value) for name, value in wanted.items() if not is_so(held, name, value)}
    if not known.keys() <= wanted.keys():
        found.update((name, (old, None)) for name, old in known.items() if name not in wanted and name not in kept)
    return {name: both for name, both in found.items() if name not in untouched} if found and untouched else found


def is_so(held: KnownAccount | KnownGroup, name: str, value: Value) -> bool:
    """Whether an attribute is as wanted: so stored, or stored otherwise by a target that was asked for just that.

    What was left out is not: it was asked for too early.
    """
    known = held.attributes.get(name)
    if _same(known, value):
        return True
    if name not in held.altered:
        return False
    asked, stored = held.altered[name]
    return not was_left_out(asked, stored) and _same(asked, value) and _same(stored, known)


def was_left_out(asked: Value, stored: Value) -> bool:
    """Whether a target left a value out for want of something that may come: a manager's account, a team's owner."""
    return stored is None and bool(asked)


def _same(old: Value, new: Value) -> bool:
    if isinstance(old, Sealed) or isinstance(new, Sealed):
        return old == new
    return type(old) is type(new) and old == new


def moves(old: str | None, new: str | None) -> bool:
    """Whether an object has to be put elsewhere; None as the new place: it may be anywhere.

    The same place in another spelling is no other place, whether a rule spells it so or the target.
    """
    return new is not None and not is_same_container(old, new)
