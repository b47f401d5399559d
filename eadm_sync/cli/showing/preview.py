"""What is shown of a plan, whatever the form: rows, sentences, the changes in words, the exit code."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.cli.exits import CHANGES, DONE, FAILED, HELD
from eadm_sync.cli.output import clean
from eadm_sync.errors import SourceError
from eadm_sync.model import Sealed
from eadm_sync.plan.brakes import Hold
from eadm_sync.plan.change import Change, GroupFrame

if TYPE_CHECKING:  # takes longer to load than an explanation, which needs none of it, to make
    from datetime import date

    from eadm_sync.app.narrowing import Selection, Shown, Tally
    from eadm_sync.app.planning import Planned
    from eadm_sync.importing import Hold as ImportHold


class Preview(msgspec.Struct, frozen=True):
    """What is shown of a plan.

    Attributes:
        planned: The plan and its import; valid while the plan is.
        selection: What of it is looked at.
        tally: How much that is.
        config: The option that names the configuration in commands to copy: "" or " --config FILE".
    """

    planned: Planned
    selection: Selection
    tally: Tally
    config: str = ""

    @property
    def holds(self) -> tuple[Hold, ...]:
        """Holds of what is looked at."""
        holds = self.planned.plan.holds
        if self.selection.is_everything:
            return holds
        targets = {target for target, _, _ in self.tally.held}
        return tuple(hold for hold in holds if hold.target in targets)

    def frames(self, limit: int | None = None) -> Iterator[Shown]:
        """Groups, then people; with a limit, at most so many of each."""
        groups = people = 0
        for frame, held in self.selection.frames(self.planned.plan):
            if isinstance(frame, GroupFrame):
                groups += 1
                number = groups
            else:
                people += 1
                number = people
            if limit is None or number <= limit:
                yield frame, held
            elif people:
                return  # groups come first: nothing that would be shown is behind this

    @property
    def problems(self) -> tuple[tuple[str, str], ...]:
        """People whom the rules cannot serve: (id, why)."""
        return self._of_problems(waits=False)

    @property
    def undecided(self) -> tuple[tuple[str, str], ...]:
        """People who wait for somebody to say which account is theirs: (id, why)."""
        return self._of_problems(waits=True)

    def _of_problems(self, *, waits: bool) -> tuple[tuple[str, str], ...]:
        wanted = self.selection.person
        found = (one for one in self.planned.plan.problems if one.waits is waits and wanted in {None, one.person})
        return tuple((one.person, one.reason) for one in found)

    @property
    def exit_code(self) -> int:
        """What the program ends with when this was only looked at."""
        if self.planned.failures or self.problems:
            return FAILED
        if self.tally.total_held or self.planned.import_holds or self.undecided:
            return HELD
        return CHANGES if self.tally.total else DONE


# ---------------------------------------------------------------- tables

COUNT_HEADINGS = ("target", "kind", *(str(action) for action in Action))
SOURCE_HEADINGS = ("source", "rows", "people", "new", "changed", "vanished", "returned", "quarantined", "state")


def count_rows(preview: Preview) -> list[tuple[str, ...]]:
    """One row for each target and kind, a column for each action: "12", "12 (3 held)" or ""."""
    rows = []
    for target in dict.fromkeys(target for target, _, _ in sorted(preview.tally.changes)):
        for kind in Kind:
            cells = [_count(preview.tally, target, kind, action) for action in Action]
            if any(cells):
                rows.append((target, str(kind), *cells))
    return rows


def _count(tally: Tally, target: str, kind: Kind, action: Action) -> str:
    number, held = tally.changes.get((target, kind, action), 0), tally.held.get((target, kind, action), 0)
    if not number:
        return ""
    return f"{number} ({'all' if held == number else held} held)" if held else str(number)


def source_rows(preview: Preview) -> list[tuple[object, ...]]:
    """One row for each source."""
    return [
        (
            report.source,
            report.rows,
            report.read,
            report.new,
            report.changed,
            report.vanished,
            report.returned,
            report.quarantined,
            "unreadable" if report.error else "held" if report.holds else "read",
        )
        for report in preview.planned.imported.reports
    ]


# ---------------------------------------------------------------- sentences


class Notice(msgspec.Struct, frozen=True):
    """Something to know about a plan, in sentences.

    Attributes:
        is_failure: A failure; otherwise something held, or worth knowing.
        text: The sentences; what comes from data is cleaned.
        command: What to type to let it go, or None.
    """

    is_failure: bool
    text: str
    command: str | None = None


def notices(preview: Preview) -> Iterator[Notice]:
    """Everything out of the ordinary: what failed, what is held, by which limit, and how to let it go."""
    if preview.planned.preview_of is not None:
        yield _preview_of(preview.planned.preview_of)
    for error in preview.planned.failures:
        yield _failed(error)
    yield from (_import_hold(hold, preview.config) for hold in preview.planned.import_holds)
    yield from (_hold(hold, preview.config) for hold in preview.holds)
    yield from _unserved(preview.problems)
    yield from _undecided(preview.undecided)
    plan = preview.planned.plan
    if plan.postponed:
        text = f"{counted(len(plan.postponed), 'person', 'people')} will be looked at by the next run, because changes"
        yield Notice(False, f"{text} that concern them are being delivered just now.")
    if plan.waiting:
        text = f"{counted(plan.waiting, 'change')} of former runs {_are(plan.waiting)} still in the export queue"
        yield Notice(False, f"{text}; deliver what can be with", f"eadm-sync deliver{preview.config}")


def nothing_to_do(preview: Preview) -> str:
    """The sentence that stands in for an empty plan."""
    if preview.planned.plan.changes:
        return "Nothing to do for what you asked for; the plan as a whole has changes."
    if preview.planned.is_held:
        return "Nothing to do but for what is held."
    if preview.planned.failures:
        return "Nothing to do for the sources that could be read."
    if preview.planned.plan.waiting:
        return "Nothing to do but to deliver what is in the export queue."
    return "Nothing to do: the targets hold what the rules give."


def in_one_sentence(preview: Preview) -> str:
    """How much is to be done, and to how many."""
    tally = preview.tally
    if not tally.total:
        return nothing_to_do(preview)
    held = f"; {tally.total_held} of them held" if tally.total_held else ""
    groups = [counted(tally.groups, "group")] if tally.groups else []
    people = [counted(tally.people, "person", "people")] if tally.people else []
    return f"{counted(tally.total, 'change')} to {' and '.join(people + groups)}{held}."


def counted(number: int, one: str, many: str | None = None) -> str:
    """A number with its noun: "1 person", "12 people"."""
    return f"{number} {one if number == 1 else many or one + 's'}"


def config_option(config: object) -> str:
    """The option that a command to copy needs, or "" where the default configuration is used."""
    return "" if str(config) == "config.yaml" else f" --config {shlex.quote(clean(config))}"


def release_command(hold: str, config: str) -> str:
    """What to type to let a hold go."""
    return f'eadm-sync sync{config} --release {shlex.quote(hold)} --reason "…"'


def _preview_of(day: date) -> Notice:
    return Notice(
        False,
        f"A preview of {day}, to be looked at only: it can be neither saved nor applied. It goes from what the targets "
        "hold today straight to that day, with the records and rules of today; `forecast` shows the days between.",
    )


def _are(number: int) -> str:
    return "is" if number == 1 else "are"


def _unserved(problems: tuple[tuple[str, str], ...]) -> Iterator[Notice]:
    for person, reason in problems[:_MOST_PROBLEMS]:
        yield Notice(True, f"{clean(person)} cannot be served: {clean(reason)}. Everybody else is.")
    if len(problems) > _MOST_PROBLEMS:
        more = counted(len(problems) - _MOST_PROBLEMS, "more person", "more people")
        yield Notice(True, f"{more} cannot be served; see all with --format json.")


def _undecided(waiting: tuple[tuple[str, str], ...]) -> Iterator[Notice]:
    for person, reason in waiting[:_MOST_PROBLEMS]:
        yield Notice(False, f"{clean(person)} waits for a decision: {clean(reason)}. Everybody else is served.")
    if len(waiting) > _MOST_PROBLEMS:
        more = counted(len(waiting) - _MOST_PROBLEMS, "more person waits", "more people wait")
        yield Notice(False, f"{more} for a decision; see all with 'eadm-sync correlate'.")


_MOST_PROBLEMS = 20  # more of one kind say no more than their number


def _failed(error: SourceError) -> Notice:
    place = f" ({clean(error.file)}{f':{error.line}' if error.line else ''})" if error.file else ""
    return Notice(
        True,
        f"Source {clean(error.source)} could not be read{place}: {clean(error.reason)}. "
        "Its people and units stay exactly as they were; the other sources go on.",
    )


def _import_hold(hold: ImportHold, config: str) -> Notice:
    source = clean(hold.brake.partition(".")[0])
    limit = "" if hold.limit is None else f", by the source's import brake (limit {hold.limit})"
    return Notice(
        False,
        f"Held: {clean(hold.brake)}{limit}: {clean(hold.reason)}. {_NOT_WRITTEN[hold.what].format(hold.vanished)}; "
        f"the rest of {source} goes on. If it is meant, let it go with",
        release_command(hold.brake, config),
    )


_STAY = "they stay exactly as they were, with everything that follows from them"
_NOT_WRITTEN = {
    "vanished": f"Not written: the absence of {{}} people; {_STAY}",
    "incomplete": f"Not written: the absence of {{}} people; {_STAY}",
    "units": f"Not written: the absence of {{}} units; {_STAY}",
    "new": "Not written: {} new people; they wait",
    "changed": f"Not written: the changes to {{}} people; {_STAY}",
    "anomalous": f"Not written: any change to known people; {_STAY}. {{}} would be others: most likely columns or rows "
    "were shifted",
}


def _hold(hold: Hold, config: str) -> Notice:
    target = clean(hold.target)
    if hold.approval:
        return Notice(
            False,
            f"Held: {clean(hold.name)}: {counted(hold.count, 'change')} in {target}; {clean(hold.reason)}. None "
            "of them is written. Everything else goes on. Have the plan approved by another user with "
            f"'eadm-sync approve{config} FILE', and do it with 'eadm-sync apply{config} FILE'. To save it",
            f"eadm-sync plan{config} --out FILE",
        )
    if hold.sku is not None:
        text = (
            f"Held: {clean(hold.name)}: {clean(hold.reason)}. {counted(hold.count, 'person', 'people')} shall get the "
            f"licence {clean(hold.sku)} in {target}; the first {hold.limit} do, the others keep what they have and "
            "wait for seats. Everything else goes on. To leave it to the target, let it go with"
        )
    else:
        also = f" Nor is anything else of these people in {target}." if hold.kind is Kind.ACCOUNT else ""
        where = f", of {_of_part(hold)}," if hold.by else ""
        why = f"; {hold.reason}" if hold.reason else f"; the limit lets {hold.limit} through"
        text = (
            f"Held: {clean(hold.name)}: {hold.count} of {hold.population} {hold.kind}s in {target}{where} would be "
            f"{_DONE[hold.action]}{why}. None of them is written.{also} "
            "Everything else goes on. If it is meant, let it go with"
        )
    return Notice(False, text, release_command(hold.name, config))


def _of_part(hold: Hold) -> str:
    """The part of a slice in words."""
    match hold.by:
        case "unit":
            return f"unit {clean(hold.value)} with everything below it"
        case "affiliation":
            return f"everybody who is {clean(hold.value)}"
    return f"all that the rule {clean(hold.value)} gave"


_DONE = {
    Action.CREATE: "created",
    Action.UPDATE: "updated",
    Action.ENABLE: "enabled",
    Action.DISABLE: "disabled",
    Action.DELETE: "deleted",
    Action.RESTORE: "restored",
    Action.ADOPT: "taken under management",
}


# ---------------------------------------------------------------- one change

SIGNS = {
    Action.CREATE: "+",
    Action.RESTORE: "+",
    Action.ENABLE: "+",
    Action.UPDATE: "~",
    Action.DISABLE: "-",
    Action.DELETE: "-",
    Action.ADOPT: "=",
}
"""What stands before a change, as in a diff."""


def title(change: Change) -> str:
    """What is done to what: "ad: create account", "ad: add to group grp-1601"."""
    target = clean(change.target)
    match change.kind:
        case Kind.MEMBERSHIP:
            verb = "remove from" if change.action is Action.DELETE else "add to"
            role = "" if change.role == "member" else f" as {clean(change.role)}"
            return f"{target}: {verb} group {clean(change.group)}{role}"
        case Kind.NESTING:
            verb = "take out of" if change.action is Action.DELETE else "put into"
            return f"{target}: {verb} group {clean(change.group)}"
        case Kind.LICENCE:
            verb = "take away" if change.action is Action.DELETE else "give"
            return f"{target}: {verb} licence {clean(change.sku)}"
        case Kind.SCRIPT if change.script is not None:
            return f"{target}: run script {clean(change.script.name)}"
    state = ", disabled" if change.action is Action.CREATE and change.enabled is False else ""
    if change.password:
        state += ", with a first password" if change.action is Action.CREATE else ", with another password"
    return f"{target}: {change.action} {change.kind}{state}"


def values(change: Change) -> Iterator[tuple[str, str | None, str]]:
    """What differs: (name, old or None where there was nothing, new), sensitive values hidden; nothing by adoption."""
    if change.action is Action.ADOPT:
        return
    if change.container is not None and any(change.container):
        old, new = change.container
        yield "container", None if old is None else shown(old), shown(new)
    if change.script is not None:
        yield "arguments", None, " ".join(map(shown, change.script.arguments)) or "(none)"
    for name, (before, after) in change.attributes.items():
        yield clean(name), None if before is None else shown(before), shown(after)
    for name, value in change.initial.items():
        yield f"{clean(name)}, initially", None, shown(value)


def shown(value: object) -> str:
    """A value for people to read; quoted where its blanks would be missed."""
    if value is None:
        return "(nothing)"
    if isinstance(value, Sealed):
        return "***"
    text = clean(value)
    return text if text and text == text.strip() else f"'{text}'"
