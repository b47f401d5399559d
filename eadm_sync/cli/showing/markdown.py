"""Plans as Markdown, for a merge request or a ticket. Nothing in data can become markup."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from connectors.contract import Action
from eadm_sync.app.reporting import RunReport, sections_of, title_of
from eadm_sync.cli.output import clean, line
from eadm_sync.cli.showing.preview import (
    COUNT_HEADINGS,
    SOURCE_HEADINGS,
    Preview,
    count_rows,
    in_one_sentence,
    notices,
    source_rows,
    title,
    values,
)
from eadm_sync.plan.change import Change, Frame, GroupFrame

_MARKUP = re.compile(r"[\\`*_{}\[\]()#!|~$:]")
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;"}


def escaped(value: object) -> str:
    """A value as Markdown shows it letter by letter."""
    text = _MARKUP.sub(r"\\\g<0>", clean(value))
    return re.sub("[&<>]", lambda match: _ENTITIES[match[0]], text)


def show_markdown(preview: Preview, limit: int | None) -> None:
    """The whole plan, streaming; with a limit, at most so many groups and people."""
    line(f"# {escaped(in_one_sentence(preview))}")
    line()
    line(f"Plan `{preview.planned.plan.hash}` for {preview.planned.plan.basis.today}.")
    for notice in notices(preview):
        line()
        line(f"- **{escaped(notice.text)}**" + (f" `{clean(notice.command)}`" if notice.command else ""))
    _table(SOURCE_HEADINGS, source_rows(preview))
    if preview.tally.total:
        _table(COUNT_HEADINGS, count_rows(preview))
    for frame, held in preview.frames(limit):
        for text in _frame_lines(frame, held):
            line(text)


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    line()
    line(f"| {' | '.join(headings)} |")
    line("|" + " --- |" * len(headings))
    for row in rows:
        line(f"| {' | '.join(map(escaped, row))} |")


def _frame_lines(frame: Frame, held: tuple[Change, ...]) -> Iterator[str]:
    yield ""
    if isinstance(frame, GroupFrame):
        yield f"### group {escaped(frame.key)}"
    else:
        yield f"### {escaped(frame.name)} ({escaped(frame.person)}, {escaped(frame.stage)})"
    yield ""
    if not isinstance(frame, GroupFrame):
        yield from (f"- new {escaped(name)} {escaped(value)}" for name, value in frame.identifiers)
    on_hold = set(map(id, held))
    for change in frame.changes:
        mark = " **HELD**" if id(change) in on_hold else ""
        yield f"- {escaped(title(change))}{mark}, {escaped(change.reason)} ({escaped(change.rule)})"
        for name, old, new in values(change):
            before = "" if old is None and change.action is Action.CREATE else f"{escaped(old or '(nothing)')} → "
            yield f"  - {escaped(name)}: {before}{escaped(new)}"


def show_report(report: RunReport) -> None:
    """The report of a run."""
    line(f"# {escaped(title_of(report))}")
    for section in sections_of(report):
        line()
        line(f"## {section.title}")
        if section.rows:
            _table(section.headings, section.rows)
        for number, note in enumerate(section.notes):
            if not number:
                line()
            line(f"- {escaped(note)}")
