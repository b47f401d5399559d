"""Who shall have what, said a second time: from the product's description, without one line of the engine.

It is meant to be slow and plain. What the engine does with due days, fingerprints and queues, this does by asking of
everybody, every time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta

from .town import ABOVE, Tie, Town

CREATE_DAYS, ENABLE_DAYS, GRACE_DAYS = 14, 1, 7
RETENTION_DAYS, PURGE_DAYS = 60, 90
ON_LEAVE = {"SYK": "keep", "PERM": "disable", "MIL": "strip"}
OVERLAP_DAYS = 14
CONTAINER_OF_LEAVERS = "OU=Sluttet,DC=town"
LEFT = "Sluttet"
"""What the description of a deactivated account says."""
ORDER = ("teacher", "employee", "pupil")
_AD_KINDS = ("teacher", "employee")

Place = tuple[str, str]
"""(who, target)"""


@dataclass
class Wanted:
    """What the targets shall hold.

    Attributes:
        accounts: (who, target) → attributes that follow from the town, and whether it is enabled.
        containers: (who, target) → where the account stands, in the target that has containers.
        members: (what a group is known by, target) → who.
        licences: (who, sku).
    """

    accounts: dict[Place, tuple[dict[str, str], bool]] = field(default_factory=dict)
    containers: dict[Place, str] = field(default_factory=dict)
    members: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    licences: set[tuple[str, str]] = field(default_factory=set)


@dataclass(frozen=True)
class Rules:
    """What an administrator changes in the rules.

    Attributes:
        edition: What titles end with.
        called: What the names of groups end with.
        cloud_kinds: Whose affiliations give accounts in the cloud.
    """

    edition: str = ""
    called: str = ""
    cloud_kinds: tuple[str, ...] = ORDER


@dataclass(frozen=True)
class Orders:
    """What operators ordered, and the rules.

    Attributes:
        stopped: Who may not sign in.
        extended: who → last day on which they are kept.
        rules: As they stand.
    """

    stopped: frozenset[str] = frozenset()
    extended: Mapping[str, date] = field(default_factory=dict)
    rules: Rules = field(default_factory=Rules)


@dataclass
class Believed:
    """The town as sound exports have told of it so far.

    Attributes:
        ties: (system, number there) → ties; those of a record that is missing end on the day before it was missed.
        names: who → display name, as a present record last had it.
        owner: (system, number there) → who.
        unit_names: By code.
        dead: Who has died.
    """

    ties: dict[tuple[str, str], list[Tie]] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    owner: dict[tuple[str, str], str] = field(default_factory=dict)
    unit_names: dict[str, str] = field(default_factory=dict)
    dead: set[str] = field(default_factory=set)
    _missing: set[tuple[str, str]] = field(default_factory=set)
    _of: dict[str, list[Tie]] = field(default_factory=dict)

    def take_in(self, town: Town, today: date) -> None:
        """Believes a day's exports."""
        told: dict[tuple[str, str], list[Tie]] = {}
        for who, human in town.humans.items():
            for system, key, is_there, ties in (
                ("hr", str(human.number), human.in_hr, human.positions),
                ("school", who, human.in_school, human.enrolments),
            ):
                if is_there:
                    told[system, key] = [replace(tie) for tie in ties]
                    self.owner[system, key] = who
                    self.names[who] = f"{human.given} {human.family}"
            if human.has_died and human.in_hr:
                self.dead.add(who)
        yesterday = today - timedelta(days=1)
        for place in self.ties.keys() - told.keys() - self._missing:
            for tie in self.ties[place]:
                tie.end = min(tie.end or yesterday, yesterday)
            self._missing.add(place)
        self._missing -= told.keys()
        self.ties |= told
        self._sort()
        self.unit_names = dict(town.unit_names)

    def of(self, who: str) -> list[Tie]:
        """Everything that ties somebody to the town."""
        return self._of.get(who, [])

    def _sort(self) -> None:
        self._of = {}
        for place, ties in self.ties.items():
            self._of.setdefault(self.owner[place], []).extend(ties)


def is_active(ties: list[Tie], day: date) -> bool:
    """Whether some tie runs on a day and no leave says that accounts are to be disabled."""
    return any(tie.start <= day <= (tie.end or date.max) and ON_LEAVE.get(tie.leave) != "disable" for tie in ties)


def counting(ties: list[Tie], day: date) -> list[Tie]:
    """The ties that earn access on a day: from some days before the first to some days after the last."""
    return [
        tie
        for tie in ties
        if tie.start - timedelta(days=CREATE_DAYS) <= day
        and (tie.end is None or (tie.start <= tie.end and day <= tie.end + timedelta(days=GRACE_DAYS)))
    ]


def stays(believed: Believed, who: str, day: date) -> bool:
    """Whether somebody is at work, so that lost access is kept for an overlap."""
    return who not in believed.dead and any(
        tie.start <= day <= (tie.end or date.max) and not tie.leave for tie in believed.of(who)
    )


def _ended_last(ties: list[Tie], day: date) -> list[Tie]:
    ended = [tie for tie in ties if tie.end is not None and tie.start <= tie.end < day]
    return [tie for tie in ended if tie.end == max(one.end for one in ended if one.end)]


def wanted_on(believed: Believed, day: date, orders: Orders) -> Wanted:
    """What the rules in `program.RULES` give on a day."""
    wanted = Wanted()
    for who in believed.names.keys() - believed.dead:
        ties = counting(believed.of(who), day)
        is_kept = not ties and day <= orders.extended.get(who, date.min)
        if is_kept:
            ties = _ended_last(believed.of(who), day)
        enabled = who not in orders.stopped and (
            is_kept
            or any(
                tie.start - timedelta(days=ENABLE_DAYS) <= day and ON_LEAVE.get(tie.leave) != "disable" for tie in ties
            )
        )
        for target in ("ad", "cloud"):
            kinds = orders.rules.cloud_kinds if target == "cloud" else _AD_KINDS
            earning = [tie for tie in ties if tie.kind in kinds]
            if earning:
                attributes, unit = _attributes(believed, who, earning, target, orders.rules.edition)
                wanted.accounts[who, target] = attributes, enabled
                if target == "ad":
                    wanted.containers[who, target] = f"OU={unit},DC=town"
                _add_access(wanted, who, target, [tie for tie in ties if ON_LEAVE.get(tie.leave) != "strip"])
    return wanted


def _attributes(
    believed: Believed, who: str, earning: list[Tie], target: str, edition: str
) -> tuple[dict[str, str], str]:
    """What an account says, and the unit of the affiliation that it is made from."""
    shaping = min(earning, key=lambda tie: (not tie.primary, ORDER.index(tie.kind), tie.start, tie.key))
    found = {"displayName": believed.names[who], "mark": who}
    if target == "ad":
        found["title"] = f"{shaping.title}{edition}"
    found["department"] = believed.unit_names[shaping.unit]
    return found, shaping.unit


def _add_access(wanted: Wanted, who: str, target: str, ties: list[Tie]) -> None:
    for tie in ties:
        if target == "ad" and tie.kind != "pupil":
            wanted.members.setdefault((f"U-{tie.unit}", target), set()).add(who)
        if target == "cloud" and tie.class_group:
            wanted.members.setdefault((f"C-{tie.class_group}", target), set()).add(who)
    if target == "cloud" and ties:
        kinds = {tie.kind for tie in ties}
        wanted.licences.add((who, next(sku for kind, sku in _PRODUCTS if kind in kinds)))


_PRODUCTS = (("teacher", "FACULTY"), ("employee", "OFFICE"), ("pupil", "STUDENT"))
"""Of the exclusive ones, the first that somebody earns is theirs."""


def nestings(units: Iterable[str]) -> set[tuple[str, str]]:
    """Which groups have to be in which, so that everybody in some units is in the groups of all units above."""
    found = set()
    for unit in units:
        inner: str | None = unit
        while inner is not None:
            outer = ABOVE.get(inner)
            if outer is not None:
                found.add((f"U-{inner}", f"U-{outer}"))
            inner = outer
    return found


def turning_days(believed: Believed) -> Iterator[date]:
    """Every day on which time alone changes what somebody shall have."""
    for ties in believed.ties.values():
        for tie in ties:
            yield tie.start - timedelta(days=CREATE_DAYS)
            yield tie.start - timedelta(days=ENABLE_DAYS)
            yield tie.start
            if tie.end is not None:
                yield tie.end + timedelta(days=1)
                yield tie.end + timedelta(days=GRACE_DAYS + 1)
