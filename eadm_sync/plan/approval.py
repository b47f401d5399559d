"""What a second person has to approve before it is done. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from fnmatch import translate

from connectors.contract import Action, Kind
from eadm_sync.plan.brakes import GROUP, Hold, Populations
from eadm_sync.plan.change import Change

_DELETED = (Kind.ACCOUNT, Kind.GROUP)


class Approvals:
    """Counts, as a plan is made, what has to be approved."""

    def __init__(self, deletions: int | None = None, groups: Sequence[str] = ()) -> None:
        """`deletions`: so many in one target need no approval, None: however many; `groups`: patterns of their keys."""
        self._deletions = deletions
        self._patterns = {pattern: re.compile(translate(pattern.casefold())) for pattern in groups}
        self._deleted: Counter[tuple[str, Kind]] = Counter()
        self._touched: Counter[tuple[str, str]] = Counter()

    def note(self, changes: Iterable[Change]) -> None:
        """Takes note of some changes; urgent ones need nobody's approval."""
        for change in changes:
            if change.urgent:
                continue
            if change.action is Action.DELETE and change.kind in _DELETED:
                self._deleted[change.target, change.kind] += 1
            for pattern, matches in self._patterns.items():
                if any(matches.match(key.casefold()) for key in (change.group, change.member) if key):
                    self._touched[change.target, pattern] += 1

    def holds(self, populations: Populations) -> Iterator[Hold]:
        """What is held until the plan is approved."""
        for (target, kind), count in sorted(self._deleted.items()):
            if self._deletions is not None and count > self._deletions:
                yield Hold(
                    f"approval.{target}.{kind}.delete",
                    target,
                    kind,
                    Action.DELETE,
                    count,
                    populations.whole(target, kind),
                    self._deletions,
                    reason=f"more than {self._deletions} deletions are to be approved by a second person",
                    approval=True,
                )
        for (target, pattern), count in sorted(self._touched.items()):
            yield Hold(
                f"approval.{target}[{GROUP} {pattern}]",
                target,
                Kind.GROUP,
                Action.UPDATE,
                count,
                populations.whole(target, Kind.GROUP),
                0,
                reason=f"changes to {pattern}, and to who is in it, are to be approved by a second person",
                by=GROUP,
                value=pattern,
                approval=True,
            )
