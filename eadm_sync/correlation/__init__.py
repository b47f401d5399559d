"""Finding the accounts that people already have in a target, and what in it is never to be changed. Pure."""

from eadm_sync.correlation.matching import Decision, Matching, Seen, Stranger, Verdict, VerdictKind
from eadm_sync.correlation.protection import Protection, is_same_container, is_within
from eadm_sync.correlation.rules import MatchRule, compile_rules

__all__ = [
    "Decision",
    "MatchRule",
    "Matching",
    "Protection",
    "Seen",
    "Stranger",
    "Verdict",
    "VerdictKind",
    "compile_rules",
    "is_same_container",
    "is_within",
]
