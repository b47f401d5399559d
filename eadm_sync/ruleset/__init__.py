"""The ruleset: YAML files read, checked whole, and compiled to frozen rules. Evaluation is in `eadm_sync.desired`."""

from eadm_sync.ruleset.loading import load_ruleset
from eadm_sync.ruleset.naming import candidates, fits
from eadm_sync.ruleset.organisation import Organisation
from eadm_sync.ruleset.rules import (
    AccountRule,
    Alias,
    Deactivation,
    Form,
    GroupRule,
    IdentifierRule,
    LicenceRule,
    LifecycleSettings,
    Rule,
    Ruleset,
    RulesetSource,
)
from eadm_sync.ruleset.schema import ruleset_schema
from eadm_sync.ruleset.vocabulary import TargetWords, Vocabulary

__all__ = [
    "AccountRule",
    "Alias",
    "Deactivation",
    "Form",
    "GroupRule",
    "IdentifierRule",
    "LicenceRule",
    "LifecycleSettings",
    "Organisation",
    "Rule",
    "Ruleset",
    "RulesetSource",
    "TargetWords",
    "Vocabulary",
    "candidates",
    "fits",
    "load_ruleset",
    "ruleset_schema",
]
