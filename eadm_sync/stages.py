"""The stages of the lifecycle and what leads from one to another, as tables. Pure data: `lifecycle` tells who is where.

docs/lifecycle.md shows both tables.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from enum import StrEnum
from itertools import chain, repeat
from typing import NamedTuple


class Stage(StrEnum):
    """Where a person is on the way from joiner to leaver; `STAGES` says when each is."""

    FUTURE = "future"
    PREHIRE = "pre-hire"
    ACTIVE = "active"
    LEAVE = "leave"
    GRACE = "grace"
    EXTENDED = "extended"
    STOPPED = "stopped"
    ENDED = "ended"


class Facts(NamedTuple):
    """What the stage is told by.

    Attributes:
        counts: Whether an affiliation counts today.
        employed: Whether one runs today.
        present: Whether one runs today without a leave code.
        lingers: Whether one counts that has ended.
        upcoming: Whether one begins later.
        extended: Whether what counts does so only because somebody ordered it.
        stopped: Whether all accounts are ordered to be disabled.
    """

    counts: bool
    employed: bool
    present: bool
    lingers: bool
    upcoming: bool
    extended: bool
    stopped: bool


class StageRow(NamedTuple):
    """One row of the table of stages.

    Attributes:
        stage: The stage.
        holds: Whether it is this one, where none before it in the table is.
        when: The same in words.
        accounts: What becomes of accounts.
        access: What becomes of groups and licences.
        overlaps: Whether lost access is kept for an overlap: somebody has moved, not left.
    """

    stage: Stage
    holds: Callable[[Facts], bool]
    when: str
    accounts: str
    access: str
    overlaps: bool = False


_BY_RULES = "as the rules say"
_BY_LEAVE = "as the rules say; `strip`: taken away"

STAGES = (
    StageRow(
        Stage.STOPPED,
        lambda facts: facts.stopped and facts.counts,
        "`person stop` was ordered, and an affiliation counts",
        "disabled at once",
        _BY_RULES,
        overlaps=True,
    ),
    StageRow(
        Stage.EXTENDED,
        lambda facts: facts.extended,
        "nothing counts any more, but `person extend` keeps the affiliation that ended last",
        "enabled",
        _BY_RULES,
        overlaps=True,
    ),
    StageRow(
        Stage.FUTURE,
        lambda facts: facts.upcoming and not facts.counts,
        "an affiliation begins later than `create_days_before_start` from today",
        "none yet; those from before are disabled",
        "none",
    ),
    StageRow(
        Stage.ENDED,
        lambda facts: not facts.counts,
        "nothing counts any more, or ever did; or the person has died",
        "disabled; deleted after `retention_days`",
        "taken away",
    ),
    StageRow(
        Stage.ACTIVE,
        lambda facts: facts.present,
        "an affiliation runs, from its first to its last day",
        "enabled",
        _BY_RULES,
        overlaps=True,
    ),
    StageRow(
        Stage.LEAVE,
        lambda facts: facts.employed,
        "every affiliation that runs has a leave code",
        "enabled; `disable`: disabled, not deactivated",
        _BY_LEAVE,
    ),
    StageRow(
        Stage.GRACE,
        lambda facts: facts.lingers,
        "the last affiliation has ended, at most `grace_days` ago",
        "enabled",
        _BY_RULES,
        overlaps=True,
    ),
    StageRow(
        Stage.PREHIRE,
        lambda _: True,
        "an affiliation begins within `create_days_before_start`",
        "made disabled, enabled `enable_days_before_start` before",
        _BY_RULES,
    ),
)
"""Every stage; the first row that holds is the one. Rows further down know that those above do not hold."""


class Cause(StrEnum):
    """What leads from one stage to another."""

    TIME = "time"
    ORDER = "order"  # somebody's, from the shell
    SOURCE = "source"  # what an import brings; it can lead from any stage to any other


class Transition(NamedTuple):
    """One way from a stage to another.

    Attributes:
        before: The stage before.
        after: The stage after.
        cause: What leads there.
        when: When, in words.
        label: The same in very few words, for the main ways; "" for the others.
    """

    before: Stage
    after: Stage
    cause: Cause
    when: str
    label: str = ""


def _ways(
    cause: Cause, when: str, before: Iterable[Stage], after: Iterable[Stage], label: str = ""
) -> tuple[Transition, ...]:
    """Every way from one of some stages to one of others; the first one has the label."""
    labels = chain((label,), repeat(""))
    return tuple(
        Transition(one, other, cause, when, next(labels)) for one in before for other in after if one is not other
    )


_COUNTING = (Stage.ACTIVE, Stage.LEAVE, Stage.PREHIRE, Stage.GRACE, Stage.EXTENDED)
_EMPLOYED = (Stage.ACTIVE, Stage.LEAVE)
_OVER = "the day after the last day"

TRANSITIONS = (
    *_ways(Cause.TIME, "`create_days_before_start` before the first day", [Stage.FUTURE], [Stage.PREHIRE], "nears"),
    *_ways(Cause.TIME, "the same, of somebody who is stopped", [Stage.FUTURE], [Stage.STOPPED]),
    *_ways(Cause.TIME, "the first day", [Stage.PREHIRE], _EMPLOYED, "first day"),
    *_ways(Cause.TIME, "the first day, where nothing is made before it", [Stage.FUTURE], _EMPLOYED),
    *_ways(Cause.TIME, f"{_OVER}, where there are `grace_days`", _EMPLOYED, [Stage.GRACE], "last day over"),
    *_ways(Cause.TIME, f"{_OVER}, where there are none", _EMPLOYED, [Stage.ENDED], "last day over, no grace"),
    *_ways(Cause.TIME, f"{_OVER}, for as long as `person extend` said", _EMPLOYED, [Stage.EXTENDED]),
    *_ways(Cause.TIME, f"{_OVER}, of somebody who is to come back", _EMPLOYED, [Stage.PREHIRE, Stage.FUTURE]),
    *_ways(Cause.TIME, "the first or last day of one of several affiliations", _EMPLOYED, _EMPLOYED),
    *_ways(Cause.TIME, "`grace_days` after the last day", [Stage.GRACE], [Stage.ENDED], "grace over"),
    *_ways(Cause.TIME, "the same, for as long as `person extend` said", [Stage.GRACE], [Stage.EXTENDED]),
    *_ways(Cause.TIME, "the day that `person extend` named is over", [Stage.EXTENDED], [Stage.ENDED], "day over"),
    *_ways(
        Cause.TIME,
        "the same, of somebody who is to come back",
        [Stage.GRACE, Stage.EXTENDED],
        [Stage.PREHIRE, Stage.FUTURE],
    ),
    *_ways(Cause.TIME, "the first day of another affiliation", [Stage.GRACE, Stage.EXTENDED], _EMPLOYED),
    *_ways(Cause.TIME, "nothing counts any more", [Stage.STOPPED], [Stage.ENDED, Stage.FUTURE]),
    *_ways(Cause.ORDER, "`person stop`", _COUNTING, [Stage.STOPPED], "person stop"),
    *_ways(Cause.ORDER, "`person resume`", [Stage.STOPPED], _COUNTING, "person resume"),
    *_ways(Cause.ORDER, "`person extend`", [Stage.ENDED, Stage.FUTURE], [Stage.EXTENDED], "person extend"),
    *_ways(Cause.ORDER, "`person extend --remove`", [Stage.EXTENDED], [Stage.ENDED, Stage.FUTURE]),
    *_ways(Cause.SOURCE, "a leave code comes", [Stage.ACTIVE], [Stage.LEAVE], "leave code"),
    *_ways(Cause.SOURCE, "a leave code goes", [Stage.LEAVE], [Stage.ACTIVE], "back"),
    *_ways(Cause.SOURCE, "somebody is taken on again", [Stage.ENDED], [Stage.FUTURE], "taken on again"),
    *_ways(Cause.SOURCE, "somebody has died", _COUNTING, [Stage.ENDED]),
)
"""What leads from one stage to another; tests compare it with what `standing` does day by day."""
