"""What the configuration lets rulesets speak of: targets with their attributes, and further mapped fields."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from connectors.contract import PasswordRules
from eadm_sync.ruleset.rules import Value


class TargetWords(msgspec.Struct, frozen=True):
    """What one target is called by and can hold.

    Attributes:
        variables: Constant texts of the configuration, read as `target.<name>`.
        attributes: Account attributes with their types (`str`, `bool`, `int`, `list`); empty: any name, any type.
        group_attributes: As `attributes`, for groups.
        account_name: The attribute an account is called by; some account rule must set it.
        group_name: The attribute a group's name goes into.
        required: Account attributes that some account rule must set.
        max_lengths: Longest text per attribute, in characters.
        has_containers: Whether objects stand in containers.
        has_licences: Whether it gives licences.
        has_nestings: Whether groups can be in groups.
        world_readable: Account attributes that everybody can read.
        refuses_national_ids: Whether no national id may be sent to it in clear.
        passwords: What it asks of first passwords; None where it takes none.
    """

    variables: Mapping[str, str] = {}
    attributes: Mapping[str, str] = {}
    group_attributes: Mapping[str, str] = {}
    account_name: str | None = None
    group_name: str = "name"
    required: frozenset[str] = frozenset()
    max_lengths: Mapping[str, int] = {}
    has_containers: bool = True
    has_licences: bool = True
    has_nestings: bool = True
    world_readable: frozenset[str] = frozenset()
    refuses_national_ids: bool = False
    passwords: PasswordRules | None = None

    def fault(self, attributes: Mapping[str, Value]) -> str | None:
        """Why an account with these attributes cannot be made: an empty one that it needs, or one that is too long."""
        if self.account_name is not None and not attributes.get(self.account_name):
            return f"'{self.account_name}' would be empty"
        for name in self.required:
            if attributes.get(name) in (None, ""):
                return f"'{name}' would be empty"
        return self.too_long(attributes)

    def too_long(self, attributes: Mapping[str, Value]) -> str | None:
        """Which of these attributes is longer than possible, in words; None where none is."""
        for name, most in self.max_lengths.items():
            value = attributes.get(name)
            if isinstance(value, str) and len(value) > most:
                return f"'{name}' would have {len(value)} characters, at most {most} are possible"
        return None


class Vocabulary(msgspec.Struct, frozen=True):
    """What every ruleset file can name besides its own words.

    Attributes:
        targets: By name.
        person_extra: Names read as `person.extra.<name>`.
        affiliation_extra: Names read as `affiliation.extra.<name>`.
        unit_extra: Names read as `affiliation.unit.extra.<name>`.
        kinds: Every kind an affiliation can have, so that a misspelt one is found; empty: unknown.
        scripts: Names of the programs that rules may have run.
    """

    targets: Mapping[str, TargetWords]
    person_extra: frozenset[str] = frozenset()
    affiliation_extra: frozenset[str] = frozenset()
    unit_extra: frozenset[str] = frozenset()
    kinds: frozenset[str] = frozenset()
    scripts: frozenset[str] = frozenset()
