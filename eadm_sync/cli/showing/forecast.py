"""A calendar of days to come, as text, Markdown, CSV and JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from eadm_sync.cli.output import clean, csv_table, json_document, line, many, plain, section, styled
from eadm_sync.cli.showing.markdown import escaped

if TYPE_CHECKING:
    from eadm_sync.app.forecasting import Forecast, Seats

EVENT_HEADINGS = ("day", "event", "target", "number")
SEAT_HEADINGS = ("target", "licence", "from", "in use", "seats", "")
_CSV_HEADINGS = ("day", "event", "target", "what", "person", "name", "reason")


def show_table(found: Forecast, *, by_week: bool) -> None:
    """Counts by day or week, then the use of licences."""
    line(styled(_title(found), "bold"))
    for sentence in _sentences(found):
        line(sentence)
    rows = list(_counted(found, by_week=by_week))
    section("Calendar by week (its Monday)" if by_week else "Calendar", EVENT_HEADINGS, rows, empty="nothing happens")
    section("Licences in use, whenever it changes", SEAT_HEADINGS, list(map(_seat_row, found.seats)))


def show_markdown(found: Forecast, *, by_week: bool) -> None:
    """The same for a ticket or a wiki."""
    line(f"# {escaped(_title(found))}")
    for sentence in _sentences(found):
        line()
        line(escaped(sentence))
    for title, headings, rows in (
        ("Calendar", EVENT_HEADINGS, _counted(found, by_week=by_week)),
        ("Licences in use", SEAT_HEADINGS, map(_seat_row, found.seats)),
    ):
        line()
        line(f"## {title}")
        line()
        line(f"| {' | '.join(headings)} |")
        line("|" + " --- |" * len(headings))
        for row in rows:
            line(f"| {' | '.join(map(escaped, row))} |")


def show_csv(found: Forecast) -> None:
    """One row for each event of one person."""
    csv_table(_CSV_HEADINGS, ([getattr(event, name) for name in _CSV_HEADINGS] for event in found.events))


def show_json(found: Forecast, *, by_week: bool) -> None:
    """Everything."""
    json_document(
        {
            "first": found.first,
            "last": found.last,
            "people": found.people,
            "waiting": found.waiting,
            "calendar": [dict(zip(EVENT_HEADINGS, row, strict=True)) for row in _counted(found, by_week=by_week)],
            "events": found.events,
            "licences": [_seats_data(one) for one in found.seats],
        }
    )


def _seats_data(one: Seats) -> dict[str, Any]:
    data: dict[str, Any] = plain(one)
    return {**data, "short": one.short}


def _title(found: Forecast) -> str:
    return f"From {found.first} to {found.last}: something becomes of {many(found.people, 'person', 'people')}."


def _sentences(found: Forecast) -> Iterator[str]:
    yield "As records, rules and the orders about people are now, and if every plan is delivered on its day."
    if found.waiting:
        yield f"{many(found.waiting, 'change')} in the export queue not counted."
    for one in found.seats:
        if one.short:
            yield (
                f"Short of seats from {one.day}: {clean(one.target)} {clean(one.sku)}, "
                f"{one.used} needed, {one.total} there."
            )


def _counted(found: Forecast, *, by_week: bool) -> Iterator[Sequence[object]]:
    counts: Counter[tuple[date, str, str]] = Counter()
    for (day, event, target), number in found.counts.items():
        counts[day - timedelta(days=day.weekday()) if by_week else day, event, target] += number
    return ((str(day), event, target, number) for (day, event, target), number in sorted(counts.items()))


def _seat_row(one: Seats) -> tuple[object, ...]:
    total = "unlimited or unknown" if one.total is None else one.total
    return one.target, one.sku, str(one.day), one.used, total, f"SHORT of {one.short}" if one.short else ""
