"""Groups that rules could give to somebody, whoever that would be."""

from __future__ import annotations

from collections.abc import Iterator

from eadm_sync.model import Affiliation, Person, Sealed
from eadm_sync.ruleset.organisation import NO_UNIT, ClassNode, Organisation, UnitNode
from eadm_sync.ruleset.rules import GroupRule, Ruleset

_NOBODY = Person(id="", given_name="", family_name="")
_NOWHERE = Affiliation(id="", source="", kind="")


def possible_groups(ruleset: Ruleset, organisation: Organisation) -> dict[str, set[str]]:
    """Key of every group that some rule could give → ids of these rules; whether the rules hold is not asked.

    Groups that are called by something of a person or an affiliation are left out.
    """
    found: dict[str, set[str]] = {}
    for rule in ruleset.groups:
        for home, unit, class_group in _places(rule, organisation):
            key, *_ = rule.make(_NOBODY, _NOWHERE, home, _nothing, _sealed, unit, class_group, "")
            if key:
                found.setdefault(key, set()).add(rule.id)
    return found


def _places(rule: GroupRule, organisation: Organisation) -> Iterator[tuple[UnitNode, UnitNode, ClassNode | None]]:
    """All that a rule can be carried out for, as far as it shapes the group: (home, unit, class group)."""
    match rule.shared:
        case "home":
            yield from ((unit, NO_UNIT, None) for unit in (NO_UNIT, *organisation.units.values()))
        case "unit":
            yield from ((NO_UNIT, unit, None) for unit in organisation.units.values())
        case "class_group":
            yield from ((NO_UNIT, NO_UNIT, group) for group in organisation.class_groups.values())
        case "":
            yield NO_UNIT, NO_UNIT, None


def _nothing(_name: str, _person: Person, _affiliation: Affiliation) -> None:
    """What is shared by all members is made of no identifier."""
    return


def _sealed(_value: Sealed) -> str:
    """Nor of a sealed field: the compiler refuses it."""
    return ""
