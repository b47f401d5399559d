"""What the ruleset says a person shall have: pure evaluation and its explanation, no I/O."""

from eadm_sync.desired.evaluation import Evaluator, evaluate, winning_order
from eadm_sync.desired.explaining import Attempt, Explanation, RuleExplanation, explain
from eadm_sync.desired.state import (
    Desired,
    DesiredAccount,
    DesiredGroup,
    DesiredLicence,
    DesiredMembership,
    Value,
)
from eadm_sync.ruleset.naming import candidates

__all__ = [
    "Attempt",
    "Desired",
    "DesiredAccount",
    "DesiredGroup",
    "DesiredLicence",
    "DesiredMembership",
    "Evaluator",
    "Explanation",
    "RuleExplanation",
    "Value",
    "candidates",
    "evaluate",
    "explain",
    "winning_order",
]
