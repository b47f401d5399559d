"""What an account looks like that nothing gives any more: the ruleset's `lifecycle.deactivation`, rendered. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

import msgspec

from eadm_sync.desired import Desired, Value
from eadm_sync.lifecycle import Settings, delete_on
from eadm_sync.model import Person
from eadm_sync.ruleset.rules import Deactivation, LifecycleSettings
from eadm_sync.ruleset.vocabulary import TargetWords
from eadm_sync.state.known import Known


class Deactivated(msgspec.Struct, frozen=True):
    """What becomes of one account of somebody who has left, besides being disabled.

    Attributes:
        container: Where it is to be, or None where it stays.
        attributes: What it shall hold of those that are named; None: shall be empty.
        keeps_groups: Whether it stays in its groups.
        keeps_licences: Whether it keeps its licences.
        revokes_sessions: Whether who is signed in is signed out when it is disabled.
        fault: Why container and attributes cannot be given; both are left as they were then.
    """

    container: str | None = None
    attributes: dict[str, Value] = {}
    keeps_groups: bool = False
    keeps_licences: bool = False
    revokes_sessions: bool = True
    fault: str | None = None


DISABLED = Deactivated()
"""Where the ruleset says nothing: the account is disabled and stripped, and stays where it is."""


def deactivated(
    recipe: Deactivation, words: TargetWords, person: Person, deactivated_on: date, settings: Settings
) -> Deactivated:
    """One account of a person as it is from its deactivation to its deletion.

    Args:
        recipe: What the ruleset says for its target.
        words: What the target can hold.
        person: Whose it is.
        deactivated_on: The day on which it was deactivated, or is to be.
        settings: The lifecycle's.
    """
    container, attributes = recipe.make(person, deactivated_on, delete_on(deactivated_on, settings))
    fault = words.too_long(attributes)
    return Deactivated(
        container=None if fault else container,
        attributes={} if fault else attributes,
        keeps_groups=not recipe.removes_groups,
        keeps_licences=not recipe.removes_licences,
        revokes_sessions=recipe.revokes_sessions,
        fault=fault,
    )


def all_deactivated(
    settings: LifecycleSettings,
    words: Mapping[str, TargetWords],
    person: Person,
    desired: Desired,
    known: Known,
    today: date,
) -> dict[str, Deactivated]:
    """By target, those of a person's known accounts that nothing gives any more and the ruleset has a word about."""
    if not settings.deactivation or not known.accounts:
        return {}
    wanted = {account.target for account in desired.accounts}
    return {
        target: deactivated(recipe, words[target], person, known.accounts[target].deactivated_on or today, settings)
        for target, recipe in settings.deactivation.items()
        if target in known.accounts and target not in wanted
    }
