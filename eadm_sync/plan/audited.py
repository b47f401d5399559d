"""What the audit keeps of a change that a target carried out: with what was known before, and is known now."""

from __future__ import annotations

from datetime import date

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.model import Sealed
from eadm_sync.plan.change import Change, Value
from eadm_sync.state.known import KnownAccount, KnownGroup

Image = KnownAccount | KnownGroup | None
"""An account or group as it is known; None where there is none, and for everything else."""

WARN = "warn"
"""The audit's word for what a target had to say to a change that it carried out, in place of the action."""

RAN = "run"
FAILED = "fail"
"""The audit's words for a program that was run after a change to an account, and how it ended."""

ADOPT = "adopt"
"""The audit's word for an account or group that was in the target before, in place of `create`."""


BY_HAND = "by hand"
"""The audit's word for whoever changed something in a target that is not of this program, in place of an actor."""


class Audited(Change, frozen=True, omit_defaults=True):
    """A change as it came out.

    `attributes` and `container` hold what was known before and what the target stored, of a deleted object all that it
    had: lines put together in their order make known state, and read backwards they undo it.

    Attributes:
        anchor: The target's own immutable id, for all accounts and groups.
        deactivated_on: For DISABLE, the day on which retention began, or None.
        exit_code: For scripts, how the program ended.
        script_output: For scripts, the end of what it said, sealed; None where it was recorded before.
    """

    deactivated_on: date | None = None
    exit_code: int | None = None
    script_output: Sealed | None = None


def ran(change: Change, exit_code: int, script_output: Sealed | None) -> Audited:
    """What is kept of a program that was run."""
    fields = {name: getattr(change, name) for name in Change.__struct_fields__}
    return Audited(**fields, exit_code=exit_code, script_output=script_output)


def audited(change: Change, before: Image, after: Image) -> Change:
    """What is kept of a change to an object that was known as `before` and now is as `after`.

    An account or group that is not there any more has no `after`, one that is new no `before`. Of a membership, a
    nesting or a licence the change itself tells all.
    """
    if change.kind not in _OBJECTS:
        return change
    known = after or before
    fields = {name: getattr(change, name) for name in Change.__struct_fields__}
    fields["attributes"] = _differences(before, after)
    fields["container"] = _move(before, after)
    disabled = after if change.action is Action.DISABLE and isinstance(after, KnownAccount) else None
    fields["anchor"] = known.anchor if known else None
    return Audited(
        **fields,
        deactivated_on=disabled.deactivated_on if disabled else None,
    )


_OBJECTS = (Kind.ACCOUNT, Kind.GROUP)


def _differences(before: Image, after: Image) -> dict[str, tuple[Value, Value]]:
    old = before.attributes if before else {}
    new = after.attributes if after else {}
    return {
        name: (old.get(name), new.get(name)) for name in dict.fromkeys((*old, *new)) if old.get(name) != new.get(name)
    }


def _move(before: Image, after: Image) -> tuple[str | None, str | None] | None:
    old = before.container if before else None
    new = after.container if after else None
    return None if old == new else (old, new)


encode = msgspec.msgpack.Encoder().encode
"""A detail as it is stored."""

decode = msgspec.msgpack.Decoder(Audited).decode
"""A stored detail; those of older programs have no anchor, and as new values what was asked for."""
