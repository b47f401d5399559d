"""First passwords: how they are made, and how hard they are to guess. Pure; chance is handed in.

Every password that a policy allows is as likely as any other: characters are drawn one by one, and what lacks a class
or holds a part of its owner's name is thrown away as a whole and drawn anew.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import combinations
from typing import Protocol

import msgspec

from connectors.contract import PasswordRules
from eadm_sync.errors import EadmError

CLASSES: Mapping[str, str] = {
    "lower": "abcdefghijkmnpqrstuvwxyz",
    "upper": "ABCDEFGHJKLMNPQRSTUVWXYZ",
    "digits": "23456789",
    "symbols": "!?#%*",
}
"""What is drawn from. What looks alike on paper is left out: I l 1, O o 0. So is what a spreadsheet takes for the
beginning of a formula, or what stands elsewhere on the keyboards of other countries' phones."""

WEAK_BITS = 35.0
"""From here on a password is no longer weak. Ten guesses a minute, which is more than a target with a lock-out lets
through, take six years to find one of a thousand such passwords."""

_MOST_DRAWS = 10_000
"""A policy of which a ten-thousandth fits gets by; one that cannot be fulfilled is found out in milliseconds."""


class Chance(Protocol):
    """Where chance comes from."""

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1, each as likely as any other."""
        ...


class SystemChance:
    """The operating system's, fit for secrets."""

    def below(self, limit: int) -> int:
        """A whole number from 0 to `limit` - 1."""
        return secrets.randbelow(limit)


class NoPassword(EadmError):
    """No password of a policy does for somebody: `policy`, `reason` (which tells nothing of the passwords tried)."""

    def __init__(self, policy: str, reason: str) -> None:
        super().__init__(f"the password policy '{policy}' makes none that will do: {reason}")
        self.policy = policy
        self.reason = reason


class Policy(msgspec.Struct, frozen=True):
    """How passwords of one kind are made: of characters, or of words with digits behind them.

    Attributes:
        name: What rules call it.
        length: How many characters; of no meaning where there are words.
        classes: Names of `CLASSES`, each of which is in every password of characters.
        words: What words are drawn from, each of them once; empty: characters are.
        word_count: How many words.
        separator: What stands between them, and before the digits.
        digits: How many digits stand behind the words.
        must_change: Whether the owner has to choose another password when signing in for the first time.
    """

    name: str
    length: int = 12
    classes: tuple[str, ...] = ("lower", "upper", "digits")
    words: tuple[str, ...] = ()
    word_count: int = 3
    separator: str = "-"
    digits: int = 4
    must_change: bool = True


def make_password(policy: Policy, rules: Iterable[PasswordRules], names: Collection[str], chance: Chance) -> str:
    """A password of a policy that does for all of some targets.

    Args:
        policy: How it is made.
        rules: What the targets ask for.
        names: The owner's names and account names.
        chance: Where chance comes from.

    Raises:
        NoPassword: None that was tried will do.
    """
    asked = [*rules]
    reason = ""
    for _ in range(_MOST_DRAWS):
        value = _words(policy, chance) if policy.words else _characters(policy, chance)
        if value is None:
            continue
        faults = (rule.fault(value, names) for rule in asked)
        fault = next((found for found in faults if found is not None), None)
        if fault is None:
            return value
        reason = fault
    raise NoPassword(policy.name, reason or "it is too short for all its classes")


def shortfall(policy: Policy, rules: PasswordRules) -> str | None:
    """Why a target refuses whatever a policy makes, or some of it; None where only names can be in the way."""
    for example in _extremes(policy):
        if (fault := rules.fault(example)) is not None:
            return fault
    return None


def entropy_bits(policy: Policy) -> float:
    """How many bits somebody lacks who knows the policy and its words, but not the password."""
    if policy.words:
        choices = len(policy.words) ** policy.word_count * len(CLASSES["digits"]) ** policy.digits
        return math.log2(choices)
    sizes = [len(CLASSES[name]) for name in policy.classes]
    # By inclusion and exclusion: of all strings, those that lack none of the classes.
    possible = sum(
        (-1) ** count * sum((sum(sizes) - sum(left_out)) ** policy.length for left_out in combinations(sizes, count))
        for count in range(len(sizes) + 1)
    )
    return math.log2(possible) if possible > 0 else 0.0


def _characters(policy: Policy, chance: Chance) -> str | None:
    """One draw; None where a class is missing."""
    alphabet = "".join(CLASSES[name] for name in policy.classes)
    value = "".join(_one_of(alphabet, chance) for _ in range(policy.length))
    has_all = all(any(character in CLASSES[name] for character in value) for name in policy.classes)
    return value if has_all else None


def _words(policy: Policy, chance: Chance) -> str:
    words = [_one_of(policy.words, chance).capitalize() for _ in range(policy.word_count)]
    digits = "".join(_one_of(CLASSES["digits"], chance) for _ in range(policy.digits))
    return policy.separator.join([*words, digits] if digits else words)


def _one_of(choices: Sequence[str], chance: Chance) -> str:
    return choices[chance.below(len(choices))]


def _extremes(policy: Policy) -> tuple[str, ...]:
    """A shortest and a longest password, each of as few kinds of characters as the policy makes."""
    if not policy.words:
        firsts = "".join(CLASSES[name][0] for name in policy.classes)
        return (firsts + CLASSES[policy.classes[0]][0] * (policy.length - len(firsts)),)
    by_length = sorted(policy.words, key=len)
    digits = CLASSES["digits"][0] * policy.digits
    return tuple(
        policy.separator.join([*[word.capitalize()] * policy.word_count, *([digits] if digits else [])])
        for word in (by_length[0], by_length[-1])
    )
