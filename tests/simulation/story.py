"""What happens, as data: a story is a list of events, can be made from a seed, printed, cut short and told again.

Every event makes sense whatever came before: one about somebody who is not there does nothing. So any part of a story
is a story, and a failure can be cut down to the events that it needs.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date, timedelta

from .town import GRADES, SCHOOL, UNITS, Human, Tie, Town, day_of, lead_of

FAULTS = ("throttled", "unavailable", "transient", "lost_answer")
ANOTHER = 2000
"""What a new number in HR is above the old one."""
LEAVE_CODES = ("SYK", "PERM", "MIL")


@dataclass(frozen=True)
class Event:
    """Something that happens on a day.

    Attributes:
        day: Days after the first one.
        what: What happens: a name in `ON_TOWN` or, of what befalls the program and its targets, in `ON_PROGRAM`.
        who: To whom, or to which target.
        unit: Where.
        days: How long, or how long from now; as `what` has it.
        word: What else is to be said.
    """

    day: int
    what: str
    who: str = ""
    unit: str = ""
    days: int = 0
    word: str = ""

    def __repr__(self) -> str:
        said = [f"{one.name}={value!r}" for one in fields(self)[2:] if (value := getattr(self, one.name))]
        return f"Event({', '.join([repr(self.day), repr(self.what), *said])})"


Story = tuple[Event, ...]


# ---------------------------------------------------------------- what befalls the town


def _join(town: Town, event: Event) -> None:
    """Somebody is hired, or hired again; `days` is how long, 0 for good."""
    human = town.human(event.who)
    today = day_of(event.day)
    if human.has_died or any(tie.end is None or tie.end >= today for tie in human.positions):
        return
    start = today + timedelta(days=lead_of(event.who))
    end = start + timedelta(days=event.days) if event.days else None
    title = event.word or "Rådgiver"
    kind = "teacher" if title == "Lærer" else "employee"
    human.positions.append(Tie(human.new_key(), kind, event.unit, title, start, end, primary=True))
    human.in_hr = True


def _second(town: Town, event: Event) -> None:
    """Somebody takes a second position beside the first."""
    human = town.human(event.who)
    if human.in_hr:
        end = day_of(event.day + event.days) if event.days else None
        human.positions.append(Tie(human.new_key(), "teacher", event.unit, "Lærer", day_of(event.day), end))


def _end(town: Town, event: Event) -> None:
    """All of somebody's positions end in so many days."""
    for tie in _running(town.human(event.who), day_of(event.day)):
        tie.end = max(tie.start, day_of(event.day + event.days))


def _move(town: Town, event: Event) -> None:
    """Somebody begins elsewhere in so many days."""
    human, first = town.human(event.who), day_of(event.day + event.days)
    running = [tie for tie in _running(human, first) if tie.start < first]
    if human.in_hr and running:
        for tie in running:
            tie.end = first - timedelta(days=1)
        last = running[0]
        human.positions.append(Tie(human.new_key(), last.kind, event.unit, last.title, first, primary=True))


def _vanish(town: Town, event: Event) -> None:
    """HR does not know somebody any more."""
    human = town.human(event.who)
    human.in_hr = False
    human.positions = []
    human.has_new_id = True


def _die(town: Town, event: Event) -> None:
    """HR is told that somebody has died."""
    human = town.human(event.who)
    human.has_died = human.has_died or human.in_hr


def _rename(town: Town, event: Event) -> None:
    town.human(event.who).family = event.word


def _renumber(town: Town, event: Event) -> None:
    """HR gives somebody another number, and all positions other keys; the national id stays."""
    human = town.human(event.who)
    if human.in_hr and (human.number > ANOTHER or not human.has_new_id):
        human.number += ANOTHER
        human.has_new_id = True
        for tie in human.positions:
            tie.key = human.new_key()


def _naturalise(town: Town, event: Event) -> None:
    town.naturalise(event.who)


def _leave(town: Town, event: Event) -> None:
    """Somebody goes on leave, or comes back where no code is said."""
    for tie in _running(town.human(event.who), day_of(event.day)):
        if tie in town.human(event.who).positions:
            tie.leave = event.word


def _enrol(town: Town, event: Event) -> None:
    """Somebody begins in a class, or again a month after the last; `days` is the grade."""
    human = town.human(event.who)
    today = day_of(event.day)
    is_free = all(tie.end is not None and tie.end < today - timedelta(days=30) for tie in human.enrolments)
    if is_free and not human.has_died:
        grade = f"k{max(1, event.days)}"
        human.enrolments = [Tie(human.new_key(), "pupil", SCHOOL, "", today, class_group=grade)]
        human.in_school = True


def _drop_out(town: Town, event: Event) -> None:
    """A pupil's enrolment ends in so many days."""
    for tie in town.human(event.who).enrolments:
        if tie.end is None:
            tie.end = max(tie.start, day_of(event.day + event.days))


def _rollover(town: Town, event: Event) -> None:
    """The school year turns: everybody is a grade further, and the tenth has left."""
    today = day_of(event.day)
    for human in town.humans.values():
        for tie in human.enrolments:
            if tie.end is None or tie.end >= today:
                grade = int(tie.class_group[1:]) + 1
                if grade > GRADES:
                    tie.end = max(tie.start, today - timedelta(days=1))
                else:
                    tie.class_group = f"k{grade}"


def _rename_unit(town: Town, event: Event) -> None:
    town.unit_names[event.unit] = event.word


ON_TOWN: dict[str, Callable[[Town, Event], None]] = {
    "join": _join,
    "second": _second,
    "end": _end,
    "move": _move,
    "vanish": _vanish,
    "die": _die,
    "rename": _rename,
    "renumber": _renumber,
    "naturalise": _naturalise,
    "leave": _leave,
    "enrol": _enrol,
    "drop out": _drop_out,
    "rollover": _rollover,
    "rename unit": _rename_unit,
}

ON_PROGRAM = frozenset(
    {
        "fault",  # a target misbehaves as `word` says for so many days
        "crash",  # the process ends at the n-th step of its work with the database; n is `days`
        "empty export",  # the file `word` comes out empty for so many days
        "half export",  # half of HR is missing for so many days
        "edit by hand",  # somebody changes what is not ours on somebody's account
        "spoil",  # somebody changes what is ours on somebody's accounts by hand, or deletes them: `word`
        "edit rules",  # the administrator changes a template
        "rename groups",  # likewise that of all groups' names
        "close the cloud",  # likewise for whom there are accounts in one target: for all but the kind `word`
        "stop",  # emergency stop of somebody
        "resume",  # which is taken back
        "extend",  # somebody is kept for so many days more
        "end extension",  # which is taken back
        "seats",  # there are so few licences for offices for so many days
    }
)


def _running(human: Human, day: date) -> list[Tie]:
    return [tie for tie in human.positions if tie.end is None or tie.end >= day]


# ---------------------------------------------------------------- making one


@dataclass(frozen=True)
class Size:
    """How long and how large a story is; `every` is how many days go from one run of the program to the next."""

    years: float = 1
    people: int = 20
    every: int = 1


def write_story(seed: int, size: Size) -> Story:
    """A story from a seed: the same for the same numbers, on every machine."""
    chance = random.Random(seed)
    people = [f"h{number}" for number in range(size.people)]
    events = [_opening(chance, who) for who in people]
    last = int(size.years * 365)
    for number in range(int(size.people * size.years * 4)):
        day = chance.randrange(2, max(3, last))
        events.append(_incident(chance, day, people, number))
    events += [_trouble(chance, chance.randrange(1, max(2, last)), people) for _ in range(int(last / 12))]
    events += [Event(day, "rollover") for day in range(last) if (day_of(day).month, day_of(day).day) == (8, 1)]
    return tuple(sorted(events, key=lambda event: event.day))


def _opening(chance: random.Random, who: str) -> Event:
    day = chance.choice((0, 0, 0, chance.randrange(300)))
    if chance.random() < 0.35:
        return Event(day, "enrol", who, days=chance.randint(1, GRADES))
    return Event(day, "join", who, chance.choice(UNITS), word=chance.choice(("Rådgiver", "Lærer", "Vaktmester")))


def _incident(chance: random.Random, day: int, people: Sequence[str], number: int) -> Event:
    what = chance.choices(tuple(_INCIDENTS), tuple(_INCIDENTS.values()))[0]
    who, unit = chance.choice(people), chance.choice(UNITS)
    if what == "rename unit":
        return Event(day, what, unit=unit, word=f"Enhet {unit} utgave {number}")
    days, word = chance.choice(_DAYS.get(what, (0,))), chance.choice(_WORDS.get(what, ("",)))
    return Event(day, what, who, unit if what in _SOMEWHERE else "", days, word)


_INCIDENTS = {
    "join": 24,
    "second": 6,
    "end": 14,
    "move": 12,
    "vanish": 6,
    "die": 1,
    "rename": 6,
    "renumber": 4,
    "naturalise": 4,
    "leave": 8,
    "enrol": 6,
    "drop out": 4,
    "rename unit": 2,
}
"""How often each happens, beside the others."""

_SOMEWHERE = frozenset({"join", "second", "move"})
_DAYS = {
    "join": (0, 0, 40, 150),
    "second": (0, 60),
    "end": (0, 1, 10, 30),
    "drop out": (0, 1, 10, 30),
    "move": (0, 1, 10, 30),
    "enrol": range(1, GRADES + 1),
    "fault": range(1, 10),
    "crash": range(1, 31),
    "empty export": range(1, 5),
    "half export": range(1, 5),
    "extend": (3, 30, 200),
    "seats": range(1, 40),
}
_WORDS = {
    "join": ("Rådgiver", "Lærer", "Vaktmester"),
    "rename": ("Berg", "Ødegård", "Moe-Lie", "Hansen"),
    "leave": ("", *LEAVE_CODES),
    "fault": FAULTS,
    "seats": ("0", "2", "8"),
    "spoil": ("rename", "delete"),
    "close the cloud": ("", "", "pupil", "teacher"),
    "empty export": ("hr-persons", "hr-positions", "school-persons", "school-pupils"),
}


def _trouble(chance: random.Random, day: int, people: Sequence[str]) -> Event:
    what = chance.choices(tuple(_TROUBLES), tuple(_TROUBLES.values()))[0]
    days, word = chance.choice(_DAYS.get(what, (0,))), chance.choice(_WORDS.get(what, (str(day),)))
    return Event(day, what, chance.choice(("ad", "cloud") if what == "fault" else people), "", days, word)


_TROUBLES = {
    "fault": 30,
    "crash": 30,
    "empty export": 8,
    "half export": 6,
    "edit by hand": 10,
    "spoil": 10,
    "edit rules": 6,
    "rename groups": 4,
    "close the cloud": 4,
    "stop": 5,
    "resume": 5,
    "extend": 12,
    "end extension": 4,
    "seats": 3,
}
