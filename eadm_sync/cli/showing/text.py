"""Plans and reports as text: for a terminal, a pipe, a log."""

from __future__ import annotations

from collections.abc import Iterator

from connectors.contract import Action, Kind
from eadm_sync.app.delivering import TargetReport
from eadm_sync.app.syncing import SyncReport
from eadm_sync.cli.output import clean, line, styled, table
from eadm_sync.cli.showing.preview import (
    COUNT_HEADINGS,
    SIGNS,
    SOURCE_HEADINGS,
    Preview,
    count_rows,
    counted,
    in_one_sentence,
    notices,
    source_rows,
    title,
    values,
)
from eadm_sync.cli.showing.reasons import silence
from eadm_sync.plan.change import Change, Frame, GroupFrame


def show_plan(preview: Preview, limit: int | None) -> None:
    """Summary first, then changes: groups, then person by person.

    Args:
        preview: What is shown.
        limit: At most so many groups and so many people, or None for all.
    """
    show_summary(preview)
    for frame, held in preview.frames(limit):
        for text in frame_lines(frame, held):
            line(text)
    if limit is not None:
        _say_what_is_left_out(preview, limit)


def show_summary(preview: Preview) -> None:
    """What the sources said, what would be done, what is held or failed."""
    table(SOURCE_HEADINGS, source_rows(preview))
    if preview.tally.total:
        line()
        table(COUNT_HEADINGS, count_rows(preview))
    line()
    for notice in notices(preview):
        line(styled(notice.text, "red" if notice.is_failure else "yellow"))
        if notice.command:
            line(f"  {notice.command}")
    line(styled(in_one_sentence(preview), "bold"))


def frame_lines(frame: Frame, held: tuple[Change, ...]) -> Iterator[str]:
    """One group or person with its changes."""
    yield ""
    if isinstance(frame, GroupFrame):
        yield styled(f"group {clean(frame.key)}", "bold")
    else:
        yield styled(f"{clean(frame.person)}  {clean(frame.name)}  ({clean(frame.stage)})", "bold")
        for name, value in frame.identifiers:
            yield f"  = {clean(name)} {clean(value)} (new)"
    on_hold = set(map(id, held))
    for change in frame.changes:
        yield from _change_lines(change, is_held=id(change) in on_hold)


def _change_lines(change: Change, *, is_held: bool) -> Iterator[str]:
    sign = SIGNS[change.action]
    mark = styled("  HELD", "yellow") if is_held else ""
    why = styled(f"  {clean(change.reason)} [{clean(change.rule)}]", "dim")
    yield f"  {styled(f'{sign} {title(change)}', _COLOURS[sign])}{mark}{why}"
    for name, old, new in values(change):
        yield (
            f"      {name}: {new}"
            if old is None and (change.action is Action.CREATE or change.kind is Kind.SCRIPT)
            else (f"      {name}: {old or '(nothing)'} → {new}")
        )


_COLOURS = {"=": "yellow", "+": "green", "~": "yellow", "-": "red"}


def _say_what_is_left_out(preview: Preview, limit: int) -> None:
    tally = preview.tally
    groups, people = max(tally.groups - limit, 0), max(tally.people - limit, 0)
    if not groups and not people:
        return
    parts = [counted(people, "more person", "more people")] if people else []
    parts += [counted(groups, "more group")] if groups else []
    line()
    line(
        f"… and {' and '.join(parts)}. All of them: --limit {max(tally.groups, tally.people)}, or `plan | less`; one of"
    )
    line("them: --person ID; for review: --out FILE, --format html.")


# ---------------------------------------------------------------- reports

_TARGET_HEADINGS = ("target", "done", "to be retried", "dead", "left", "why")


def show_report(report: SyncReport, config: str, *, delivered: bool) -> None:
    """What a run did."""
    replaced = f", in place of {report.superseded} older ones" if report.superseded else ""
    held = f", {report.held} held" if report.held else ""
    line(f"Run {report.run_id}: {counted(report.enqueued, 'change')} put into the export queue{replaced}{held}.")
    for target, reason in report.silent.items():
        line(f"{silence(target, reason)}.")
    if delivered:
        show_delivery(report.targets, config)
    elif report.enqueued:
        line(f"Nothing is delivered yet; do it with: eadm-sync deliver{config}")


def show_delivery(targets: tuple[TargetReport, ...], config: str) -> None:
    """What reached the targets, what did not, and what to do about it."""
    if not targets:
        line("Nothing was waiting to be delivered.")
        return
    table(
        _TARGET_HEADINGS,
        ((target.name, target.done, target.retried, target.dead, target.left, _why(target)) for target in targets),
    )
    if any(target.dead for target in targets):
        line(f"Refused for good: see them with eadm-sync queue list{config} --state dead")
    if any(target.left for target in targets):
        line(f"What is left is tried again by the next run, or by: eadm-sync deliver{config}")
    if not any(target.dead or target.left or target.error for target in targets):
        line(styled("Everything was delivered.", "bold"))


def _why(target: TargetReport) -> str:
    if target.error is not None:
        return target.error
    if target.dead and target.left:
        return "waits for what was refused, or for its next try"
    if target.left:
        return "waits for its next try"
    return "refused by the target" if target.dead else ""
