"""The configuration's match rules as functions: what a person's account holds, and what of it an account does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from connectors.contract import Value
from eadm_sync.config.settings import MatchSettings
from eadm_sync.errors import ConfigError, Problem
from eadm_sync.expression import Origin, compile_template
from eadm_sync.model import Person, Sealed
from eadm_sync.ruleset.scopes import correlation_scope

Reveal = Callable[[Sealed], str]
"""Sealed value → plain value."""

Digest = Callable[[str, str], bytes]
"""(kind, value) → keyed hash."""

_KIND = "national_id"
"""Kind of the keyed hashes by which sensitive values are compared."""


@dataclass(frozen=True)
class MatchRule:
    """One way to find somebody's account.

    Attributes:
        attribute: The account's.
        proposes: Whether a match is only shown.
        sensitive: Whether it compares keyed hashes.
        render: (person, reveal) → what the account has to hold; "" matches nothing.
    """

    attribute: str
    proposes: bool
    sensitive: bool
    render: Callable[[Person, Reveal], str] = field(repr=False)

    def wanted(self, person: Person, reveal: Reveal, digest: Digest) -> str:
        """What an account of this person is known by: "" where the person lacks it."""
        text = (self.render(person, reveal) or "").casefold()
        return digest(_KIND, text).hex() if text and self.sensitive else text

    def held(self, attributes: Mapping[str, Value], digest: Digest) -> Iterator[str]:
        """What an account is known by, to be compared with `wanted`.

        Of a sensitive value that is its keyed hash, made here or kept by the target.
        """
        value = attributes.get(self.attribute)
        if isinstance(value, bool) or value is None:
            return
        for text in value if isinstance(value, list) else (str(value),):
            folded = text.casefold()
            if folded:
                yield folded
                if self.sensitive:
                    yield digest(_KIND, folded).hex()


def compile_rules(
    settings: Sequence[MatchSettings],
    attributes: Mapping[str, str],
    extra: frozenset[str],
    locate: Callable[[tuple[str | int, ...]], Origin],
) -> tuple[MatchRule, ...]:
    """The rules of one target.

    Args:
        settings: As configured.
        attributes: The target's account attributes with their types; empty: any.
        extra: Further mapped fields of people.
        locate: Where a setting is written, by its path below `rules`.

    Raises:
        ConfigError: With every problem there is.
    """
    problems: list[Problem] = []
    rules = []
    for position, one in enumerate(settings):
        origin = locate((position, "to"))
        if attributes and one.match not in attributes:
            problems.append(locate((position, "match")).problem(0, f"the target has no attribute '{one.match}'"))
        try:
            template = compile_template(one.to, correlation_scope(extra), origin)
        except ConfigError as error:
            problems += error.problems
            continue
        if template.constant is not None:
            problems.append(origin.problem(0, "it reads nothing of the person, so that it would fit everybody"))
        rules.append(MatchRule(one.match, one.propose, template.sensitive, template.render))
    if problems:
        raise ConfigError(tuple(problems))
    return tuple(rules)
