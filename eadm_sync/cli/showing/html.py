"""Plans as one HTML file that needs nothing else: no scripts, nothing fetched. Nothing in data can become markup."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from connectors.contract import Action
from eadm_sync.cli.output import clean, line
from eadm_sync.cli.showing.preview import (
    COUNT_HEADINGS,
    SIGNS,
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

_HEAD = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>eadm-sync plan</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } th, td { text-align: left; padding: .2rem .8rem .2rem 0 }
th { border-bottom: 1px solid #999 } h2 { font-size: 1rem; margin: 1.4rem 0 .3rem } ul { margin: 0 }
.add { color: #176c2e } .change { color: #8a5a00 } .remove { color: #a61b1b } .why { color: #666 }
.held, .failed { padding: .4rem .8rem; margin: .5rem 0; background: #fff4d6 } .failed { background: #fde2e2 }
</style>
"""

_CLASSES = {"+": "add", "~": "change", "-": "remove"}


def escaped(value: object) -> str:
    """A value as HTML shows it letter by letter."""
    return escape(clean(value))


def show_html(preview: Preview, limit: int | None) -> None:
    """The whole plan, streaming; with a limit, at most so many groups and people."""
    line(_HEAD + f"<h1>{escaped(in_one_sentence(preview))}</h1>")
    line(f"<p>Plan {preview.planned.plan.hash} for {preview.planned.plan.basis.today}.</p>")
    for notice in notices(preview):
        command = f" <code>{escaped(notice.command)}</code>" if notice.command else ""
        line(f'<p class="{"failed" if notice.is_failure else "held"}">{escaped(notice.text)}{command}</p>')
    _table(SOURCE_HEADINGS, source_rows(preview))
    if preview.tally.total:
        _table(COUNT_HEADINGS, count_rows(preview))
    for frame, held in preview.frames(limit):
        for text in _frame_lines(frame, held):
            line(text)
    line("</html>")


def _table(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    line("<table><tr>" + "".join(f"<th>{escaped(heading)}</th>" for heading in headings) + "</tr>")
    for row in rows:
        line("<tr>" + "".join(f"<td>{escaped(cell)}</td>" for cell in row) + "</tr>")
    line("</table>")


def _frame_lines(frame: Frame, held: tuple[Change, ...]) -> Iterator[str]:
    if isinstance(frame, GroupFrame):
        yield f"<h2>group {escaped(frame.key)}</h2><ul>"
    else:
        yield f"<h2>{escaped(frame.name)} <small>{escaped(frame.person)}, {escaped(frame.stage)}</small></h2><ul>"
        yield from (f"<li>new {escaped(name)} {escaped(value)}</li>" for name, value in frame.identifiers)
    on_hold = set(map(id, held))
    for change in frame.changes:
        mark = " <b>HELD</b>" if id(change) in on_hold else ""
        why = f'<span class="why">{escaped(change.reason)} ({escaped(change.rule)})</span>'
        yield f'<li><span class="{_CLASSES[SIGNS[change.action]]}">{escaped(title(change))}</span>{mark} {why}'
        rows = [_value_line(change, *row) for row in values(change)]
        yield f"<ul>{''.join(rows)}</ul></li>" if rows else "</li>"
    yield "</ul>"


def _value_line(change: Change, name: str, old: str | None, new: str) -> str:
    before = "" if old is None and change.action is Action.CREATE else f"<del>{escaped(old or '(nothing)')}</del> → "
    return f"<li>{escaped(name)}: {before}{escaped(new)}</li>"
