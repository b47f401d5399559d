"""Plans as JSON, streaming: a town of a hundred thousand people is never held in memory."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from eadm_sync.app.narrowing import Shown
from eadm_sync.cli.output import harmless_json
from eadm_sync.cli.showing.preview import Preview
from eadm_sync.importing import Hold as ImportHold
from eadm_sync.plan.change import GroupFrame, PersonFrame
from eadm_sync.plan.saved import as_json


def json_text(value: object) -> str:
    """JSON of a value; characters that a terminal would obey are escaped, which means the same in JSON."""
    return harmless_json(msgspec.json.encode(value).decode())


def show_json(preview: Preview, limit: int | None = None, more: Mapping[str, Any] = MappingProxyType({})) -> None:
    """One JSON object: what the plan stands on, its summary, then a line for every group and every person.

    `more` stands first.
    """
    sys.stdout.write("{\n")
    for name, value in (*more.items(), *_head(preview).items()):
        sys.stdout.write(f"{json_text(name)}: {json_text(value)},\n")
    parts = itertools.groupby(preview.frames(limit), key=lambda shown: isinstance(shown[0], GroupFrame))
    part = next(parts, None)
    sys.stdout.write('"groups": [')
    if part is not None and part[0]:
        _write(part[1])
        part = next(parts, None)
    sys.stdout.write('],\n"people": [')
    if part is not None:
        _write(part[1])
    sys.stdout.write("]\n}\n")


def _write(frames: Iterable[Shown]) -> None:
    for number, (frame, held) in enumerate(frames):
        out = as_json(frame, held)
        if isinstance(frame, PersonFrame) and frame.identifiers:
            out["identifiers"] = dict(frame.identifiers)
        sys.stdout.write(f"{',' if number else ''}\n{json_text(out)}")


def _head(preview: Preview) -> dict[str, Any]:
    plan, tally = preview.planned.plan, preview.tally
    return {
        "hash": plan.hash,
        "basis": plan.basis,
        "preview_of": preview.planned.preview_of,
        "exit_code": preview.exit_code,
        "narrowed_to": preview.selection,
        "summary": [
            {"target": target, "kind": kind, "action": action, "count": number, "held": tally.held.get(slice_, 0)}
            for slice_, number in sorted(tally.changes.items())
            for target, kind, action in [slice_]
        ],
        "holds": [*map(_import_hold, preview.planned.import_holds), *preview.holds],
        "sources": list(_sources(preview)),
        "problems": [{"person": person, "reason": reason} for person, reason in preview.problems],
        "undecided": [{"person": person, "reason": reason} for person, reason in preview.undecided],
        "postponed": plan.postponed,
        "waiting": plan.waiting,
    }


def _import_hold(hold: ImportHold) -> dict[str, Any]:
    return {
        "name": hold.brake,
        "source": hold.brake.partition(".")[0],
        "count": hold.vanished,
        "population": hold.population,
        "limit": hold.limit,
        "reason": hold.reason,
    }


def _sources(preview: Preview) -> Iterator[dict[str, Any]]:
    for report in preview.planned.imported.reports:
        out = {name: getattr(report, name) for name in report.__struct_fields__}
        out["hold"], out["units_hold"] = (hold and hold.brake for hold in (report.hold, report.units_hold))
        out["further_holds"] = [hold.brake for hold in report.further_holds]
        out["error"] = None if report.error is None else str(report.error)
        yield out
