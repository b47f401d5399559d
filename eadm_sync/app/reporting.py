"""The report of a run: what every source said, what was planned, held and delivered, and what to do about the rest.

A run keeps its report in the state as JSON, with the text beside it, so that whoever sends it needs nothing more.
Reports name people by id only.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import select

from eadm_sync.app.context import Context
from eadm_sync.errors import NotFound
from eadm_sync.state import tables

_BREAKS = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")

_MOST_PROBLEMS = 20
"""Problems that the text names; more of one kind say no more than their number. JSON has up to a hundred."""


class SourceLine(msgspec.Struct, frozen=True):
    """One source: how many people were read, and how they compare with before.

    Attributes:
        source: Its name.
        read: People read.
        new: People who were not known before.
        changed: Known people whose record differs.
        vanished: People who were there before and are not any more, held or not.
        returned: People who had been absent and are back.
        quarantined: Rows and values that were left out.
        fault: Why it could not be read at all, or None; its people stay as they were then.
    """

    source: str
    read: int = 0
    new: int = 0
    changed: int = 0
    vanished: int = 0
    returned: int = 0
    quarantined: int = 0
    fault: str | None = None


class ChangeLine(msgspec.Struct, frozen=True):
    """One slice of the plan: `planned` changes, `held` of them."""

    target: str
    kind: str
    action: str
    planned: int
    held: int = 0


class HoldLine(msgspec.Struct, frozen=True):
    """What a brake holds: its `name`, the limit in words, and what to type to `release` it."""

    name: str
    why: str
    release: str


class TargetLine(msgspec.Struct, frozen=True):
    """One target: `delivered` changes, `retried` failures, `dead` letters, changes `left`, and why, or None."""

    target: str
    delivered: int = 0
    retried: int = 0
    dead: int = 0
    left: int = 0
    fault: str | None = None


class ComparedLine(msgspec.Struct, frozen=True):
    """What `reconcile` says of one target: objects compared, how many `differ`, and why it could not be read, or None.

    `drifts` are the first that differ: (object, what, attributes, what becomes of it). `left` counts what is left alone
    until somebody decides.
    """

    target: str
    compared: int
    differ: int
    fault: str | None = None
    drifts: tuple[tuple[str, ...], ...] = ()
    left: int = 0


class RunReport(msgspec.Struct, frozen=True):
    """The report of one run.

    Attributes:
        id: The run's id.
        command: What was asked for.
        actor: Who asked.
        started_at: ISO text in UTC.
        finished_at: Likewise; None where it is under way, or was killed.
        status: running, done, incomplete, declined, failed or interrupted.
        seconds: How long it took; None as `finished_at`.
        parts: Seconds for each part of it, by name.
        error: Why it failed, or None.
        ruleset: The ruleset's version, or None where nothing was planned.
        sources: By source.
        changes: By target, kind and action.
        holds: What is held.
        enqueued: Changes put into the export queue.
        superseded: Queued changes of former runs that newer ones replaced.
        targets: By target.
        left: Target → why what was asked for has not reached it yet.
        silent: Target → why it did not say whether it had made or deleted accounts of which no answer came.
        problems: (person's id, why the rules could not serve them).
        removed: What housekeeping removed, by kind.
        compared: What was compared with known state, by target.
        output: The end of what a job's program said.
    """

    id: str
    command: str
    actor: str
    started_at: str
    finished_at: str | None
    status: str
    seconds: float | None = None
    parts: dict[str, float] = {}
    error: str | None = None
    ruleset: str | None = None
    sources: tuple[SourceLine, ...] = ()
    changes: tuple[ChangeLine, ...] = ()
    holds: tuple[HoldLine, ...] = ()
    enqueued: int = 0
    superseded: int = 0
    targets: tuple[TargetLine, ...] = ()
    left: dict[str, str] = {}
    silent: dict[str, str] = {}
    problems: tuple[tuple[str, str], ...] = ()
    removed: dict[str, int] = {}
    compared: tuple[ComparedLine, ...] = ()
    output: str = ""

    @property
    def planned(self) -> bool:
        """Whether a plan was made."""
        return self.ruleset is not None


def report_of(context: Context, run_id: str = "last") -> RunReport:
    """The report of one run; "last" is the latest.

    Raises:
        NotFound: There is none with this id.
        StateError: The state cannot be read.
    """
    columns = tables.runs.c
    query = select(tables.runs)
    query = query.order_by(columns.id.desc()).limit(1) if run_id == "last" else query.where(columns.id == run_id)
    with context.reading() as database, database.read() as connection:
        row = connection.execute(query).first()
        if row is None:
            near = connection.scalars(select(columns.id).order_by(columns.id.desc()).limit(3))
            raise NotFound("run", run_id, tuple(near))
        content = msgspec.json.decode(row.report) if row.report else {}
        return assembled(row._asdict(), content)


def assembled(run: Mapping[str, Any], content: Mapping[str, Any]) -> RunReport:
    """A report from a row of the book of runs, and what the run said of itself (see `app.syncing`).

    What an older program did not say is left out.
    """
    started, finished = run["started_at"], run["finished_at"]
    took = None if finished is None else datetime.fromisoformat(finished) - datetime.fromisoformat(started)
    return RunReport(
        id=run["id"],
        command=run["command"],
        actor=run["actor"],
        started_at=started,
        finished_at=finished,
        status=run["status"],
        seconds=None if took is None else took.total_seconds(),
        parts=content.get("seconds", {}),
        error=content.get("error"),
        ruleset=content.get("ruleset"),
        sources=tuple(_sources(content)),
        changes=tuple(_changes(content)),
        holds=tuple(_hold(each) for each in content.get("holds", ())),
        enqueued=content.get("enqueued", 0),
        superseded=content.get("superseded", 0),
        targets=tuple(_targets(content)),
        left=content.get("left", {}),
        silent=content.get("silent_targets", {}),
        problems=tuple((each["person"], each["reason"]) for each in content.get("problems", ())),
        removed={name: number for name, number in content.get("removed", {}).items() if type(number) is int},
        compared=tuple(_compared(content)),
        output=content.get("output", ""),
    )


def _sources(content: Mapping[str, Any]) -> Iterator[SourceLine]:
    failed = content.get("failed_sources", {})
    known = {name: each for name, each in content.get("sources", {}).items() if name not in failed}
    fields = set(SourceLine.__struct_fields__)
    for name, each in known.items():
        yield SourceLine(source=name, **{field: each[field] for field in each if field in fields})
    for name, fault in failed.items():
        yield SourceLine(source=name, fault=fault)


def _changes(content: Mapping[str, Any]) -> Iterator[ChangeLine]:
    held = content.get("held_changes", {})
    for name, number in sorted(content.get("changes", {}).items()):
        target, kind, action = name.rsplit(".", 2)
        yield ChangeLine(target, kind, action, number, held.get(name, 0))


def _targets(content: Mapping[str, Any]) -> Iterator[TargetLine]:
    for name, each in content.get("targets", {}).items():
        yield TargetLine(name, each["done"], each["retried"], each["dead"], each["left"], each.get("error"))


def _compared(content: Mapping[str, Any]) -> Iterator[ComparedLine]:
    for name, each in content.get("drift", {}).items():
        drifts = tuple(
            # Of an older program, all attributes of an object together, and nothing became of them.
            (one["object"], one["what"], one.get("name") or ", ".join(one.get("names", ())), one.get("outcome", ""))
            for one in each["drifts"]
        )
        differ = sum(each["counts"].values())
        yield ComparedLine(name, each["compared"], differ, each.get("error"), drifts, each.get("left", 0))


def _hold(hold: Mapping[str, Any]) -> HoldLine:
    name = hold.get("name") or hold["brake"]  # a plan's hold, or an import's
    why = hold.get("reason") or (
        f"{hold['count']} of {hold['population']} in {hold['target']}; the limit lets {hold['limit']} through"
    )
    if hold.get("approval"):
        return HoldLine(name, why, "eadm-sync plan --out FILE, then approve and apply it")
    return HoldLine(name, why, f'eadm-sync release {shlex.quote(name)} --reason "…"')


# ---------------------------------------------------------------- as text


class Section(msgspec.Struct, frozen=True):
    """A part of a report as it is shown: a table, and sentences below it; either may be empty."""

    title: str
    headings: tuple[str, ...] = ()
    rows: tuple[tuple[object, ...], ...] = ()
    notes: tuple[str, ...] = ()


def title_of(report: RunReport) -> str:
    """The report in one line."""
    return f"{report.command} {report.id}: {report.status}"


def sections_of(report: RunReport) -> tuple[Section, ...]:
    """The report as it is shown, without what is empty."""
    sections = (
        Section("Run", notes=tuple(_facts(report))),
        _sources_section(report),
        _changes_section(report),
        Section("Held", notes=tuple(f"{one.name}: {one.why}. If it is meant: {one.release}" for one in report.holds)),
        _targets_section(report),
        Section("Not served by the rules", notes=tuple(_problems(report))),
        Section("Removed", ("what", "rows"), tuple((name, each) for name, each in report.removed.items() if each)),
        *_compared_sections(report),
        Section("Said", notes=tuple(report.output.splitlines())),
    )
    return tuple(one for one in sections if one.rows or one.notes)


def _facts(report: RunReport) -> Iterator[str]:
    yield f"by {report.actor}, {report.started_at} to {report.finished_at or '(has not ended, or was killed)'}"
    if report.seconds is not None:
        parts = ", ".join(f"{name} {_duration(each)}" for name, each in report.parts.items())
        yield f"took {_duration(report.seconds)}" + (f" ({parts})" if parts else "")
    if report.error is not None:
        yield f"failed: {report.error}"
    if report.planned and not report.changes:
        yield "nothing was to be done"
    if report.enqueued:
        replaced = f", in place of {report.superseded} older ones" if report.superseded else ""
        yield f"{report.enqueued} changes put into the export queue{replaced}"
    for target, why in report.left.items():
        yield f"{target} has not been reached yet: {why}"
    for target, why in report.silent.items():
        yield f"{target} did not say whether it has made or deleted accounts of which no answer came: {why}"


def _sources_section(report: RunReport) -> Section:
    headings = ("source", "read", "new", "changed", "vanished", "returned", "quarantined")
    return Section(
        "Sources",
        headings,
        tuple(tuple(getattr(one, name) for name in headings) for one in report.sources if one.fault is None),
        (
            *(f"{one.source} could not be read: {one.fault}" for one in report.sources if one.fault is not None),
            *(
                f"what was left out of {one.source}: eadm-sync quarantine list --source {one.source}"
                for one in report.sources
                if one.quarantined
            ),
        ),
    )


def _changes_section(report: RunReport) -> Section:
    headings = ("target", "kind", "action", "planned", "held")
    return Section("Planned", headings, tuple(tuple(getattr(one, name) for name in headings) for one in report.changes))


def _targets_section(report: RunReport) -> Section:
    return Section(
        "Delivered",
        ("target", "delivered", "to be retried", "dead", "left"),
        tuple((one.target, one.delivered, one.retried, one.dead, one.left) for one in report.targets),
        (
            *(f"{one.target}: {one.fault}" for one in report.targets if one.fault is not None),
            *(
                f"what {one.target} refused for good: eadm-sync queue list --target {one.target} --state dead"
                for one in report.targets
                if one.dead
            ),
        ),
    )


def _compared_sections(report: RunReport) -> Iterator[Section]:
    yield Section(
        "Compared",
        ("target", "compared", "differ", "left alone"),
        tuple((one.target, one.compared, one.differ, one.left) for one in report.compared),
        (
            *(f"{one.target} could not be read: {one.fault}" for one in report.compared if one.fault is not None),
            *(
                f"what somebody has to decide: eadm-sync drift list --target {one.target}"
                for one in report.compared
                if one.left
            ),
        ),
    )
    rows = tuple((one.target, *drift) for one in report.compared for drift in one.drifts)
    yield Section("Not as it was left", ("target", "object", "what", "attribute", "policy"), rows)


def _problems(report: RunReport) -> Iterator[str]:
    for person, reason in report.problems[:_MOST_PROBLEMS]:
        yield f"{person}: {reason}"
    if len(report.problems) > _MOST_PROBLEMS:
        yield f"and {len(report.problems) - _MOST_PROBLEMS} more: eadm-sync report {report.id} --format json"


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 1:
        return "less than a second"
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "h"), (minutes, "min"), (rest, "s"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


def text_lines(report: RunReport) -> Iterator[str]:
    """The report as plain text with aligned columns. What came from outside keeps to its line."""
    yield _plain(title_of(report))
    for section in sections_of(report):
        yield ""
        yield section.title
        yield from (f"  {row}" for row in _aligned(section.headings, section.rows))
        yield from (f"  {_plain(note)}" for note in section.notes)


def as_text(report: RunReport) -> str:
    """`text_lines` in one."""
    return "\n".join(text_lines(report)) + "\n"


def _aligned(headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Iterable[str]:
    """Text to the left, numbers to the right."""
    if not rows:
        return ()
    cells = [tuple(headings), *(tuple(map(_plain, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    right = [isinstance(each, int) for each in rows[0]]
    return [
        "  ".join(
            cell.rjust(width) if number else cell.ljust(width)
            for cell, width, number in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]


def _plain(value: object) -> str:
    """One line, whatever is in it."""
    return _BREAKS.sub(lambda found: f"\\x{ord(found[0]):02x}", str(value))
