"""Organisational units: made on demand, those above first. A container is a unit's path, as "/Skole/Elever"."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from connectors.contract import Kind
from connectors.errors import ConnectorError, PutOff, Rejected, Transient
from connectors.google_workspace import refusals
from connectors.google_workspace.chains import Chain

if TYPE_CHECKING:  # as in `connection`
    from googleapiclient.http import HttpRequest

    from connectors.google_workspace.apis import Apis
    from connectors.google_workspace.batching import Reply

ROOT = "/"
MOST_DEEP = 35
"""Levels: https://developers.google.com/workspace/admin/directory/v1/limits"""
KNOWN_SECONDS = 60.0
"""For how long a unit that was seen is taken to be there: one that is deleted by hand meanwhile is missed by a user."""
UNHEARD_SECONDS = 600.0
"""For how long a unit that was asked for, without an answer, may be there though nobody sees it."""


def check(path: str) -> None:
    """Refuses a container that cannot be one, whether or not it is there.

    Raises:
        Rejected: It is no path, or a level of it has no name, or it is too deep.
    """
    if path == ROOT:
        return
    names = path.split("/")
    if not path.startswith(ROOT) or not all(name.strip() for name in names[1:]) or not path.isprintable():
        raise Rejected("a container here is the path of an organisational unit, as /Skole/Elever", "container")
    if len(names) - 1 > MOST_DEEP:
        raise Rejected(f"organisational units are at most {MOST_DEEP} deep", "container")


@dataclass
class Units:
    """The organisational units of one customer.

    Attributes:
        customer: Its id, or "my_customer".
        clock: Monotonic, in seconds.
    """

    customer: str
    clock: Callable[[], float] = time.monotonic
    _known: dict[str, float] = field(default_factory=dict)
    _made: dict[str, float] = field(default_factory=dict)
    _unheard: dict[str, float] = field(default_factory=dict)
    """Units that were asked for without an answer, and since when: Google may have made them."""

    def ensure(self, apis: Apis, paths: Iterable[str], most: float = math.inf) -> Chain[dict[str, ConnectorError]]:
        """Makes what is missing, `most` at a time; why a container cannot be had, by the path that was asked for."""
        failed: dict[str, ConnectorError] = {}
        wanted: list[str] = []
        for path in dict.fromkeys(paths):
            try:
                check(path)
                wanted.append(path)
            except Rejected as error:
                failed[path] = error
        if all(self._is_known(path) for path in wanted):
            return failed
        yield from self._look(apis)
        errors: dict[str, ConnectorError] = {}
        for level in _levels([path for path in wanted if not self._is_known(path)]):
            most -= yield from self._make(apis, [path for path in level if not self._is_known(path)], errors, most)
        failed |= {path: errors[path.casefold()] for path in wanted if path.casefold() in errors}
        return failed

    def forget(self, path: str) -> None:
        """A unit was not there after all."""
        self._known.pop(path.casefold(), None)

    def _is_known(self, path: str) -> bool:
        return path == ROOT or self._known.get(path.casefold(), float("-inf")) > self.clock() - KNOWN_SECONDS

    def _note(self, path: str) -> None:
        self._known[path.casefold()] = self.clock()

    def _look(self, apis: Apis) -> Chain[None]:
        """Sees which units there are: all of them, by one call.

        Raises:
            ConnectorError: It cannot be found out.
        """
        call = apis.orgunits.list(
            customerId=self.customer, type="all", orgUnitPath=ROOT, fields="organizationUnits(orgUnitPath)"
        )
        (reply,) = yield [call]
        if not reply.ok and not reply.is_missing:  # which is how a customer without units may answer
            raise refusals.as_a_whole(_refusal(reply))
        for one in reply.body.get("organizationUnits") or ():
            self._note(str(one["orgUnitPath"]))

    def _make(self, apis: Apis, level: Sequence[str], errors: dict[str, ConnectorError], most: float) -> Chain[int]:
        """Makes those of one depth, and says how many; whoever is below one that failed fails with it."""
        ready: list[str] = []
        for path in level:
            above = _above(path).casefold()
            if above in errors:
                errors[path.casefold()] = errors[above]
            elif len(ready) >= most:
                errors[path.casefold()] = PutOff("other organisational units are made before its own")
            else:
                ready.append(path)
        asked_before = frozenset(self._unheard)
        for path in ready:
            self._unheard.setdefault(path.casefold(), self.clock())
        replies = (yield [self._call(apis, path) for path in ready]) if ready else ()
        taken: list[str] = []
        for path, reply in zip(ready, replies, strict=True):
            if reply.ok or (reply.status < HTTPStatus.INTERNAL_SERVER_ERROR and path.casefold() not in asked_before):
                del self._unheard[path.casefold()]
            if reply.ok:
                self._note(path)
                self._made[path.casefold()] = self.clock()
            elif _may_be_taken(reply):
                taken.append(path)
            else:
                errors[path.casefold()] = _refusal(reply)
        yield from self._explained(apis, taken, errors)
        return len(ready)

    def _explained(self, apis: Apis, taken: Sequence[str], errors: dict[str, ConnectorError]) -> Chain[None]:
        """Whether units that could not be made are there, since somebody else was quicker."""
        if not taken:
            return
        yield from self._look(apis)  # and not by a path: its letters would be taken for parts of an address
        for path in taken:
            if self._is_known(path):
                self._unheard.pop(path.casefold(), None)
            elif self._may_be_made(path):
                errors[path.casefold()] = Transient("the unit may have been made, though Google does not show it yet")
            elif self._was_made(_above(path)):
                errors[path.casefold()] = Transient("the unit above was made a moment ago, and is not seen everywhere")
            else:
                self._unheard.pop(path.casefold(), None)
                errors[path.casefold()] = Rejected("Google takes no organisational unit of this name here", "container")

    def _was_made(self, path: str) -> bool:
        return self._made.get(path.casefold(), float("-inf")) > self.clock() - KNOWN_SECONDS

    def _may_be_made(self, path: str) -> bool:
        """Whether it was asked for not long ago, and no answer came."""
        return self._unheard.get(path.casefold(), float("-inf")) > self.clock() - UNHEARD_SECONDS

    def _call(self, apis: Apis, path: str) -> HttpRequest:
        body = {"name": path.rpartition("/")[2], "parentOrgUnitPath": _above(path)}
        return apis.orgunits.insert(customerId=self.customer, body=body, fields="orgUnitPath")


def _may_be_taken(reply: Reply) -> bool:
    """400 "Invalid Ou Id" is what Google says of a name that is taken, and of one that it does not like."""
    return reply.status == HTTPStatus.BAD_REQUEST or refusals.is_duplicate(reply)


def _refusal(reply: Reply) -> ConnectorError:
    if reply.is_missing:
        return Rejected(f"{reply.status} {reply.reason}: {reply.message}", "container")
    return refusals.refusal(reply, Kind.ACCOUNT, None, attribute="container")


def _above(path: str) -> str:
    return path.rpartition("/")[0] or ROOT


def _levels(paths: Iterable[str]) -> list[list[str]]:
    """Paths and all those above them, by depth, each once whatever its case."""
    levels: dict[int, dict[str, str]] = {}
    for path in paths:
        one = path
        while one != ROOT:
            levels.setdefault(one.count("/"), {}).setdefault(one.casefold(), one)
            one = _above(one)
    return [list(levels[depth].values()) for depth in sorted(levels)]
