"""A plan as a file: what `plan --out` writes, for people to review and for `apply` to compare with.

The first line is the header, every further line one person or group; all are JSON. Sensitive values are left out.
`apply` reads the header only and makes the plan anew, so nothing that is put into the file can be carried out.
"""

from __future__ import annotations

import os
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec

from eadm_sync.errors import EadmError
from eadm_sync.model import Sealed
from eadm_sync.plan.brakes import Hold
from eadm_sync.plan.change import Change, Frame, GroupFrame
from eadm_sync.plan.plan import Basis, Plan


class Header(msgspec.Struct, frozen=True):
    """The first line of a saved plan.

    Attributes:
        eadm_sync_plan: Version of the format.
        hash: The plan's hash.
        created_at: ISO text in UTC.
        basis: What it stands on.
        counts: "target.kind.action" → number of changes, held ones included.
        holds: What a brake holds, or a second person has to approve.
        planned_by: Who made it.
        expires_at: After this it cannot be applied; ISO text in UTC.
    """

    eadm_sync_plan: int
    hash: str
    created_at: str
    basis: Basis
    counts: dict[str, int]
    holds: tuple[Hold, ...]
    planned_by: str
    expires_at: str


class NotAPlan(EadmError):
    """A file that `plan --out` did not write; `file` is its path."""

    def __init__(self, file: Path) -> None:
        super().__init__(f"{file} is not a saved plan (made by 'eadm-sync plan --out {file}')")
        self.file = file


def write(plan: Plan, file: Path, created_at: datetime, *, planned_by: str, expires_at: datetime) -> Header:
    """Writes a plan, whole or not at all; readable by its owner only, since it tells of people.

    Whoever shall approve it is given a copy. Returns what the first line says.

    Raises:
        OSError: The folder cannot be written.
    """
    header = header_of(plan, created_at, planned_by=planned_by, expires_at=expires_at)
    descriptor, temporary = tempfile.mkstemp(dir=file.parent, prefix=f".{file.name}.")  # mode 0600
    try:
        with os.fdopen(descriptor, "wb") as handle:
            handle.write(msgspec.json.encode(header) + b"\n")
            for frame, _, held in plan.judged():
                handle.write(msgspec.json.encode(as_json(frame, held)) + b"\n")
        Path(temporary).replace(file)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return header


def read_header(file: Path) -> Header:
    """The header of a saved plan.

    Raises:
        NotAPlan: It is not one, or of another version.
        OSError: It cannot be read.
    """
    with file.open("rb") as handle:
        line = handle.readline(_LONGEST_HEADER_BYTES)
    try:
        header = msgspec.json.decode(line, type=Header)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise NotAPlan(file) from error
    if header.eadm_sync_plan != _VERSION:
        raise NotAPlan(file)
    return header


def header_of(plan: Plan, created_at: datetime, *, planned_by: str, expires_at: datetime) -> Header:
    """What the first line says."""
    return Header(
        eadm_sync_plan=_VERSION,
        hash=plan.hash,
        created_at=created_at.isoformat(),
        basis=plan.basis,
        counts={f"{target}.{kind}.{action}": number for (target, kind, action), number in plan.counts.items()},
        holds=plan.holds,
        planned_by=planned_by,
        expires_at=expires_at.isoformat(),
    )


def as_json(frame: Frame, held: tuple[Change, ...] = ()) -> dict[str, Any]:
    """One frame for people and programs to read, without sensitive values; held changes are marked."""
    about = {"group": frame.key} if isinstance(frame, GroupFrame) else {"person": frame.person, "name": frame.name}
    if not isinstance(frame, GroupFrame):
        about |= {"stage": frame.stage}
    on_hold = set(map(id, held))
    return {**about, "changes": [_change(change, held=id(change) in on_hold) for change in frame.changes]}


def _change(change: Change, *, held: bool) -> dict[str, Any]:
    out: dict[str, Any] = {"target": change.target, "kind": change.kind, "action": change.action}
    out |= {name: value for name, value in _about(change) if value is not None}
    if change.attributes:
        out["attributes"] = {
            name: {"old": _shown(old), "new": _shown(new)} for name, (old, new) in change.attributes.items()
        }
    if change.initial:
        out["initial"] = {name: _shown(value) for name, value in change.initial.items()}
    if change.container is not None:
        out["container"] = {"old": change.container[0], "new": change.container[1]}
    if change.enabled is not None:
        out["enabled"] = change.enabled
    return out | {"rule": change.rule, "reason": change.reason, "held": held}


def _about(change: Change) -> tuple[tuple[str, str | None], ...]:
    return ("group", change.group), ("member", change.member), ("sku", change.sku)


def _shown(value: object) -> object:
    return "***" if isinstance(value, Sealed) else value


_VERSION = 2
_LONGEST_HEADER_BYTES = 1024 * 1024
