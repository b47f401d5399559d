"""First passwords, as they are made."""

from __future__ import annotations

import math
import random
from collections import Counter
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from connectors.contract import PasswordRules
from eadm_sync.passwords import CLASSES, NoPassword, Policy, SystemChance, entropy_bits, make_password, shortfall

WORDS = Policy("pupil", words=("hest", "fjell", "kaffe", "ski"), word_count=2, digits=2)
AD = PasswordRules(min_length=7, min_classes=3, avoids_names=True)


class Seeded:
    """Chance that a test can repeat."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, limit: int) -> int:
        """As the protocol."""
        return self._random.randrange(limit)


policies = st.builds(
    Policy,
    st.just("any"),
    length=st.integers(6, 30),
    classes=st.lists(st.sampled_from(sorted(CLASSES)), min_size=1, unique=True).map(tuple),
)


@given(policies, st.integers())
def test_a_password_is_what_the_policy_says(policy: Policy, seed: int):
    """As long as it says, of its classes only, and of every one of them."""
    value = make_password(policy, (), (), Seeded(seed))
    assert len(value) == policy.length
    assert {name for name, letters in CLASSES.items() if set(letters) & set(value)} == set(policy.classes)
    assert set(value) <= set("".join(CLASSES[name] for name in policy.classes))


@given(st.integers(), st.integers(1, 5), st.integers(0, 5), st.sampled_from(["", "-", "."]))
def test_a_password_of_words_is_read_aloud(seed: int, count: int, digits: int, separator: str):
    """Words of the list, each with a capital, and digits behind them."""
    policy = replace(WORDS, word_count=count, digits=digits, separator=separator)
    value = make_password(policy, (), (), Seeded(seed))
    rest = value[: len(value) - digits].removesuffix(separator if digits else "")
    parts = rest.split(separator) if separator else [rest]
    assert set(value[len(value) - digits :]) <= set(CLASSES["digits"])
    if separator:
        assert len(parts) == count
        assert {part.lower() for part in parts} <= set(WORDS.words)
        assert all(part.istitle() for part in parts)


def test_nothing_looks_alike():
    """Whoever types a password from paper has no choice to make."""
    assert not set("Il1O0o|") & set("".join(CLASSES.values()))


@given(st.integers(), st.text("abcdefgh", min_size=1, max_size=6))
def test_a_password_does_for_every_target(seed: int, name: str):
    """What any of them would refuse is never made: here a part of the owner's name in a small alphabet."""
    value = make_password(Policy("any", length=9), [AD, PasswordRules(min_length=9)], [name], Seeded(seed))
    assert AD.fault(value, [name]) is None


def test_a_policy_that_cannot_be_fulfilled_says_so():
    """It does not try for ever, and says which target's rule is in the way."""
    with pytest.raises(NoPassword, match="fewer than 20 characters"):
        make_password(Policy("short"), [PasswordRules(min_length=20)], (), Seeded(1))
    with pytest.raises(NoPassword, match="too short for all its classes"):
        make_password(Policy("tiny", length=2), (), (), Seeded(1))
    with pytest.raises(NoPassword, match="owner's name"):
        make_password(replace(WORDS, words=("hest",)), [AD], ["Kari Hest"], Seeded(1))


def test_every_password_is_as_likely_as_any_other():
    """Drawn 16 000 times, each of the 80 that there are comes about 200 times."""
    policy = Policy("tiny", length=2, classes=("digits", "symbols"))
    chance = Seeded(7)
    drawn = Counter(make_password(policy, (), (), chance) for _ in range(16_000))
    assert len(drawn) == 80  # 8 digits and 5 symbols, in either order
    assert max(drawn.values()) < 1.4 * 200
    assert min(drawn.values()) > 0.65 * 200


@pytest.mark.parametrize(
    "policy",
    [
        Policy("a", length=3, classes=("digits", "symbols")),
        Policy("b", length=4, classes=("symbols",)),
        Policy("c", length=1, classes=("digits", "symbols")),  # impossible
    ],
)
def test_the_entropy_counts_what_is_possible(policy: Policy):
    """Against counting every string."""
    alphabet = "".join(CLASSES[name] for name in policy.classes)
    possible = sum(
        all(set(CLASSES[name]) & set(value) for name in policy.classes)
        for value in product(alphabet, repeat=policy.length)
    )
    assert entropy_bits(policy) == pytest.approx(math.log2(possible) if possible else 0.0)


def test_the_entropy_of_words_counts_words_not_letters():
    """Whoever knows the list knows what to try: 4 x 4 words and 8 x 8 digits."""
    assert entropy_bits(WORDS) == pytest.approx(10)


@given(policies)
def test_a_longer_password_is_no_easier_to_guess(policy: Policy):
    """More characters, more bits."""
    assert entropy_bits(replace(policy, length=policy.length + 1)) > entropy_bits(policy)


@pytest.mark.parametrize(
    ("policy", "rules", "fault"),
    [
        (Policy("a", length=6), AD, "fewer than 7"),
        (Policy("a", classes=("lower",)), AD, "fewer than 3 of"),
        (Policy("a"), AD, None),
        (WORDS, AD, None),  # the shortest, Ski-Ski-22, has ten
        (WORDS, PasswordRules(min_length=11), "fewer than 11"),
        (WORDS, PasswordRules(max_length=13), "more than 13"),  # the longest, Fjell-Fjell-22, has fourteen
    ],
)
def test_what_a_target_would_refuse_is_known_beforehand(policy: Policy, rules: PasswordRules, fault: str | None):
    """The shortest and the longest password that a policy can make are held against the target's rules."""
    found = shortfall(policy, rules)
    assert (found is None) == (fault is None)
    assert (fault or "") in (found or "")


@given(policies, st.integers())
def test_what_has_no_shortfall_is_made(policy: Policy, seed: int):
    """A policy that was accepted when the rules were loaded makes passwords that the target takes."""
    rules = PasswordRules(min_length=8, max_length=20, min_classes=3)
    if shortfall(policy, rules) is None:
        assert rules.fault(make_password(policy, [rules], (), Seeded(seed))) is None


def test_the_systems_chance_is_used_for_real_ones():
    """Two passwords that were made with it differ."""
    assert make_password(Policy("a"), (), (), SystemChance()) != make_password(Policy("a"), (), (), SystemChance())
