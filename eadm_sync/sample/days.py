"""The next day of a town: what happens to people, units and classes, and the list of it.

Every happening is a function of the day's draft; it changes the draft and writes down what it did. Rates are per
thousand and day, from what a municipality of ordinary turnover sees; the same seed gives the same days.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta

from eadm_sync.sample.draft import Draft, Event
from eadm_sync.sample.schools import GRADES, Roll, enrol
from eadm_sync.sample.staff import LEAVES, PROMOTIONS, employee_number
from eadm_sync.sample.town import Employee, Position, Pupil, Town, Unit, present

Happening = Callable[[Draft], None]

DEPARTED_AFTER_DAYS = 90
"""HR stops exporting people this long after their last position: most leavers are ended long before they vanish."""

NEXT_DAY = timedelta(1)


def next_day(town: Town) -> tuple[Town, tuple[Event, ...]]:
    """The town a day later, and what happened. On 1 August the school year turns."""
    draft = Draft(town, town.day + NEXT_DAY)
    if (draft.day.month, draft.day.day) == (8, 1):
        turn_school_year(draft)
    vanish(draft)
    sizes = {"employees": len(town.employees), "pupils": len(town.pupils), "units": len(town.units)}
    for happening, rate, of in RATES:
        for _ in range(draft.dice.count(sizes[of] * rate / 1000)):
            happening(draft)
    return draft.town(), tuple(draft.events)


def handful(town: Town) -> tuple[Town, tuple[Event, ...]]:
    """The town a day later, after exactly five happenings: for showing what a small change leads to.

    They happen to people with permanent positions, so that they show on whatever later day they are looked at, and to
    none who teach, since the school system would keep the one who leaves.
    """
    draft = Draft(town, town.day + NEXT_DAY)
    draft.limit_to(lambda one: not one.teacher_id and all(_is_permanent(at) for at in one.positions))
    for happening in (retitle, join_for_good, leave, rename, rename_unit):
        happening(draft)
    return draft.town(), tuple(draft.events)


# ---------------------------------------------------------------- HR


def join(draft: Draft) -> None:
    """Somebody is hired: half of them from today, the others within two months."""
    hired = draft.recruiter.contract(draft.recruiter.post(), "1")
    start = draft.day + timedelta(draft.dice.below(60) if draft.dice.chance(0.5) else 0)
    end = hired.end and max(hired.end, start + timedelta(30))
    position = draft.change(hired, start=start, end=end, leave="")
    employee = draft.recruiter.employee((position,), youngest=20, oldest=62)
    draft.employees[employee.number] = employee
    draft.note("join", "hr", employee.number, "Fra", "", start.isoformat())


def join_for_good(draft: Draft) -> None:
    """Somebody begins in a permanent position today."""
    post = draft.recruiter.post()
    position = Position("1", post.unit, post.job.code, post.job.title, "Fast", 100, draft.day)
    employee = draft.recruiter.employee((position,), youngest=20, oldest=62)
    draft.employees[employee.number] = employee
    draft.note("join", "hr", employee.number, "Fra", "", position.start.isoformat())


def leave(draft: Draft) -> None:
    """Somebody resigns: every position ends, one in three with yesterday already."""
    staying = draft.day + timedelta(30)
    employee = draft.some_employee(
        lambda one: one.number not in draft.managers and any(present(at, staying) for at in one.positions)
    )
    if employee is None:
        return
    end = draft.day - NEXT_DAY if draft.dice.chance(1 / 3) else draft.day + timedelta(draft.dice.below(30))
    positions = tuple(_ended(draft, position, end) for position in employee.positions)
    draft.employees[employee.number] = draft.change(employee, positions=positions)
    draft.note("leave", "hr", employee.number, "Til", "", end.isoformat())


def vanish(draft: Draft) -> None:
    """Those who left long ago are no longer exported."""
    limit = draft.day - timedelta(DEPARTED_AFTER_DAYS)
    for employee in list(draft.employees.values()):
        if all(position.end is not None and position.end < limit for position in employee.positions):
            draft.departed[employee.number] = draft.employees.pop(employee.number)
            draft.note("vanish", "hr", employee.number, "", "", "")


def rehire(draft: Draft) -> None:
    """Somebody who has left comes back: with the old number if HR still has the record, else with a new one."""
    if draft.idle is None:
        draft.idle = [one.number for one in draft.employees.values() if not _has_work(one, draft.day)]
    here = [draft.employees[number] for number in draft.idle if number in draft.employees]
    candidates = [one for one in (*here, *draft.departed.values()) if not _has_work(one, draft.day)]
    if not candidates:
        return
    employee = draft.dice.pick(candidates)
    if draft.departed.pop(employee.number, None):
        number = employee_number(draft.recruiter.serial("employee"))
        employee = draft.change(employee, former_number=employee.number, number=number, positions=())
    position = draft.recruiter.contract(draft.recruiter.post(), _next_number(employee))
    position = draft.change(position, start=draft.day, end=position.end and position.end + timedelta(60), leave="")
    kept = tuple(draft.change(one, main=False) for one in employee.positions[-2:])
    draft.employees[employee.number] = draft.with_teacher_id(draft.change(employee, positions=(*kept, position)))
    draft.note("rehire", "hr", employee.number, "Ansattnr", employee.former_number, employee.number)


def move(draft: Draft) -> None:
    """Somebody changes to another unit: the old position ends yesterday or overlaps by two weeks."""
    found = draft.some_position(lambda at: at.main and at.category == "Fast")
    if found is None or found[0].number in draft.managers:
        return
    employee, old = found
    post = draft.recruiter.post()
    last = draft.day + timedelta(13) if draft.dice.chance(0.3) else draft.day - NEXT_DAY
    new = Position(_next_number(employee), post.unit, post.job.code, post.job.title, "Fast", old.percent, draft.day)
    ended = draft.change(old, end=max(last, old.start), main=False, leave="")
    others = tuple(position for position in employee.positions if position is not old)[-1:]
    positions = tuple(sorted((*others, ended, new), key=lambda position: int(position.number)))
    draft.employees[employee.number] = draft.with_teacher_id(draft.change(employee, positions=positions))
    draft.note("move", "hr", employee.number, "Enhet", old.unit, new.unit)


def retitle(draft: Draft) -> None:
    """Somebody is promoted where they are."""
    found = draft.some_position(lambda at: at.category == "Fast" and at.title in PROMOTIONS)
    if found is None:
        return
    employee, old = found
    title = PROMOTIONS[old.title]
    draft.put(employee, draft.change(old, title=title))
    draft.note("retitle", "hr", employee.number, "Stilling", old.title, title)


def extend(draft: Draft) -> None:
    """A substitute, a temporary or an external is kept on for longer."""
    found = draft.some_position(lambda at: at.category != "Fast" and at.end is not None)
    if found is None:
        return
    employee, old = found
    end = (old.end or draft.day) + timedelta(draft.dice.between(14, 180))
    draft.put(employee, draft.change(old, end=end))
    draft.note("extend", "hr", employee.number, "Til", old.end.isoformat() if old.end else "", end.isoformat())


def begin_leave(draft: Draft) -> None:
    """Somebody goes on leave of absence."""
    found = draft.some_position(lambda at: at.category == "Fast" and not at.leave)
    if found is None:
        return
    employee, old = found
    code = draft.dice.weigh(LEAVES)
    draft.put(employee, draft.change(old, leave=code))
    draft.note("on-leave", "hr", employee.number, "Permisjon", "", code)


def end_leave(draft: Draft) -> None:
    """Somebody is back from leave of absence."""
    found = draft.some_position(lambda at: at.leave != "")
    if found is None:
        return
    employee, old = found
    draft.put(employee, draft.change(old, leave=""))
    draft.note("back-from-leave", "hr", employee.number, "Permisjon", old.leave, "")


def rename(draft: Draft) -> None:
    """Somebody marries, and takes or adds a name."""
    employee = draft.some_employee()
    if employee is None:
        return
    family = draft.recruiter.names.family()
    if draft.dice.chance(0.4):
        family = f"{employee.family.split()[0]} {family}"
    if family == employee.family:
        return
    draft.employees[employee.number] = draft.change(employee, family=family)
    draft.note("rename", "hr", employee.number, "Etternavn", employee.family, family)


def change_mobile(draft: Draft) -> None:
    """Somebody has a new mobile number."""
    employee = draft.some_employee()
    if employee is None:
        return
    mobile = draft.recruiter.mobile()
    draft.employees[employee.number] = draft.change(employee, mobile=mobile)
    draft.note("mobile", "hr", employee.number, "Mobil", employee.mobile, mobile)


def naturalise(draft: Draft) -> None:
    """Somebody's D-number is replaced by a national id."""
    employee = draft.some_employee(lambda one: one.national_id[:1] > "3")
    if employee is None:
        return
    number = draft.ids.issue(employee.birth, employee.sex)
    draft.employees[employee.number] = draft.change(employee, national_id=number)
    draft.note("national-id", "hr", employee.number, "Fødselsnummer", employee.national_id, number)


def renumber(draft: Draft) -> None:
    """Somebody gets a new employee number; HR remembers the former one."""
    employee = draft.some_employee()
    if employee is None:
        return
    number = employee_number(draft.recruiter.serial("employee"))
    del draft.employees[employee.number]
    draft.employees[number] = draft.change(employee, number=number, former_number=employee.number)
    for unit in [unit for unit in draft.units.values() if unit.manager == employee.number]:
        draft.units[unit.code] = draft.change(unit, manager=number)
    draft.note("renumber", "hr", number, "Ansattnr", employee.number, number)


# ---------------------------------------------------------------- units


def rename_unit(draft: Draft) -> None:
    """A department or team is called something else."""
    unit = _some_unit(draft)
    name = f"{unit.name} og utvikling" if not unit.name.endswith("og utvikling") else unit.name[: -len(" og utvikling")]
    draft.units[unit.code] = draft.change(unit, name=name)
    draft.note("rename-unit", "hr", unit.code, "Navn", unit.name, name)


def change_manager(draft: Draft) -> None:
    """A unit gets another manager, from anywhere in the organisation."""
    unit = _some_unit(draft)
    employee = draft.some_employee()
    if employee is None or employee.number == unit.manager:
        return
    draft.units[unit.code] = draft.change(unit, manager=employee.number)
    draft.note("manager", "hr", unit.code, "Leder", unit.manager, employee.number)


def _some_unit(draft: Draft) -> Unit:
    return draft.dice.pick([unit for unit in draft.units.values() if unit.kind in {"Avdeling", "Team"}])


# ---------------------------------------------------------------- school


def enrol_pupil(draft: Draft) -> None:
    """A child moves into the municipality."""
    grade = draft.dice.between(GRADES[0], GRADES[-1])
    school = draft.dice.pick([unit.code for unit in draft.schools if grade in _span(unit)])
    pupil = enrol(draft.recruiter, school, grade, draft.year)
    placed = _seat(draft, pupil)
    if placed is not None:
        draft.pupils[pupil.id] = placed
        draft.note("pupil-joins", "school", pupil.id, "school", "", school)


def withdraw_pupil(draft: Draft) -> None:
    """A child moves out of the municipality: the school system simply no longer has it."""
    pupil = draft.some_pupil()
    if pupil is not None:
        del draft.pupils[pupil.id]
        draft.note("pupil-leaves", "school", pupil.id, "school", pupil.school, "")


def change_school(draft: Draft) -> None:
    """A pupil changes to another school of the municipality."""
    pupil = draft.some_pupil()
    if pupil is None:
        return
    others = [unit.code for unit in draft.schools if pupil.grade in _span(unit) and unit.code != pupil.school]
    moved = _seat(draft, draft.change(pupil, school=draft.dice.pick(others))) if others else None
    if moved is not None:
        draft.pupils[pupil.id] = moved
        draft.note("pupil-moves", "school", pupil.id, "school", pupil.school, moved.school)


def change_class(draft: Draft) -> None:
    """A pupil changes to another class of the same school."""
    pupil = draft.some_pupil()
    moved = _seat(draft, pupil) if pupil else None
    if pupil and moved and moved.classes != pupil.classes:
        draft.pupils[pupil.id] = moved
        draft.note("pupil-class", "school", pupil.id, "class", " ".join(pupil.classes), " ".join(moved.classes))


def turn_school_year(draft: Draft) -> None:
    """1 August: everybody a grade up, the oldest out, as many of the youngest in, all classes new."""
    units, employees = draft.units.values(), draft.employees.values()
    roll = Roll(draft.day.year, units, employees, draft.day, draft.dice)
    staying, gone = [], 0
    for pupil in draft.pupils.values():
        if pupil.grade == GRADES[-1]:
            gone += 1
            draft.note("pupil-leaves", "school", pupil.id, "grade", str(pupil.grade), "")
            continue
        grade = pupil.grade + 1
        school = pupil.school if roll.has(pupil.school, grade) else roll.school(grade)
        staying.append(draft.change(pupil, grade=grade, school=school, classes=(), since=None))
    starting = [enrol(draft.recruiter, roll.school(1), 1, roll.year) for _ in range(gone)]
    for pupil in starting:
        draft.note("pupil-joins", "school", pupil.id, "school", "", pupil.school)
    draft.pupils = {pupil.id: pupil for pupil in roll.place([*staying, *starting])}
    draft.classes = dict(sorted(roll.classes.items()))
    draft.note("school-year", "school", "", "year", str(roll.year - 1), str(roll.year))


def _seat(draft: Draft, pupil: Pupil) -> Pupil | None:
    """The pupil in a base class, and in as many teaching groups as usual, of what there is today; None: no class."""
    bases, groups = draft.classes_of(pupil.school, pupil.grade)
    if not bases:
        return None
    base = draft.dice.pick(bases)
    first = draft.dice.below(len(groups)) if groups else 0
    chosen = tuple(sorted({group.code for group in (groups + groups)[first : first + 2]}))
    return draft.change(pupil, classes=(base.code, *chosen), since=draft.day)


def _span(unit: Unit) -> range:
    return range(unit.grades[0], unit.grades[1] + 1) if unit.grades else range(0)


def _ended(draft: Draft, position: Position, end: date) -> Position:
    """The position with this end, if it would last longer; one yet to begin ends before it does."""
    if position.end is not None and position.end <= end:
        return position
    return draft.change(position, end=end, start=min(position.start, end), leave="")


def _has_work(employee: Employee, day: date) -> bool:
    """Whether any position holds on this day or is still to come."""
    return any(present(position, day) or position.start > day for position in employee.positions)


def _is_permanent(position: Position) -> bool:
    return position.category == "Fast" and position.end is None


def _next_number(employee: Employee) -> str:
    return str(max((int(position.number) for position in employee.positions), default=0) + 1)


RATES: tuple[tuple[Happening, float, str], ...] = (
    (join, 0.45, "employees"),
    (leave, 0.35, "employees"),
    (rehire, 0.05, "employees"),
    (move, 0.25, "employees"),
    (retitle, 0.15, "employees"),
    (extend, 0.5, "employees"),
    (begin_leave, 0.2, "employees"),
    (end_leave, 0.2, "employees"),
    (rename, 0.06, "employees"),
    (change_mobile, 0.3, "employees"),
    (naturalise, 0.03, "employees"),
    (renumber, 0.02, "employees"),
    (rename_unit, 0.5, "units"),
    (change_manager, 1.0, "units"),
    (enrol_pupil, 0.2, "pupils"),
    (withdraw_pupil, 0.2, "pupils"),
    (change_school, 0.15, "pupils"),
    (change_class, 0.3, "pupils"),
)
