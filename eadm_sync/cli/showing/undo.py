"""What is shown before a run is undone: what is taken back, what stays and why, and what would be done again."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from eadm_sync.cli.output import clean, line, many, on_terminal, styled, table
from eadm_sync.cli.showing.preview import COUNT_HEADINGS, Preview, count_rows, in_one_sentence, notices
from eadm_sync.cli.showing.text import frame_lines

if TYPE_CHECKING:
    from eadm_sync.app.undoing import Undoing

_SHOWN = 50  # people and groups, and kinds of reasons: a few screens
_NAMED = 3  # of each reason; the others are counted


def show_undo(made: Undoing, preview: Preview) -> None:
    """The plan that takes a run back, as text."""
    limit = _SHOWN if on_terminal() else None
    if preview.tally.total:
        table(COUNT_HEADINGS, count_rows(preview))
        line()
    for notice in notices(preview):
        line(styled(notice.text, "red" if notice.is_failure else "yellow"))
        if notice.command:
            line(f"  {notice.command}")
    for frame, held in preview.frames(limit):
        for text in frame_lines(frame, held):
            line(text)
    line()
    _show_kept(made)
    for sentence in sentences(made):
        line(styled(sentence, "yellow"))
    nothing = not preview.tally.total
    line(styled("Nothing is left to take back." if nothing else in_one_sentence(preview), "bold"))


def _show_kept(made: Undoing) -> None:
    """What stays, by reason."""
    reasons = Counter((one.target, one.reason) for one in made.kept)
    for (target, reason), number in reasons.most_common(_SHOWN):
        named = [clean(one.key) for one in made.kept if (one.target, one.reason) == (target, reason)][:_NAMED]
        more = f" and {number - _NAMED} more" if number > _NAMED else ""
        line(f"stays in {clean(target)}: {', '.join(named)}{more}: {clean(reason)}")


def sentences(made: Undoing) -> list[str]:
    """What is to be known beforehand."""
    said = []
    if made.withdrawn:
        said.append(f"{many(made.withdrawn, 'change')} of the run not delivered yet: dropped from the export queue.")
    if made.repeated:
        said.append(
            f"As records and rules are now, the next run will do {made.repeated} of these "
            f"{many(made.plan.changes, 'change')} the other way round again. Put the cause right before it, "
            "or stop the schedule until then."
        )
    elif made.plan.changes:
        said.append("As records and rules are now, the next run will leave all of this as it is.")
    return said


def as_data(made: Undoing) -> dict[str, Any]:
    """The same for programs, beside the plan."""
    return {"undo_of": made.run, "withdrawn": made.withdrawn, "repeated": made.repeated, "kept": made.kept}
