"""What is doubtful in policies for first passwords."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from eadm_sync.app.context import Context
from eadm_sync.passwords import WEAK_BITS, entropy_bits


class Doubt(NamedTuple):
    """One thing that is doubtful; fields as in `linting.Finding`."""

    kind: str
    about: str
    number: int
    of: int


def doubtful_passwords(context: Context) -> Iterator[Doubt]:
    """Policies whose passwords are easy to guess, or that no rule names; passwords that end before the first day."""
    used = set(context.ruleset.password_policies().values())
    for name, policy in sorted(context.ruleset.passwords.items()):
        bits = entropy_bits(policy)
        if bits < WEAK_BITS:
            yield Doubt("weak-password", name, math.floor(bits), math.ceil(WEAK_BITS))
        if name not in used:
            yield Doubt("unused-password", name, 0, len(context.ruleset.accounts))
    keep_days = context.loaded.settings.passwords.keep_days
    before = context.ruleset.lifecycle.create_days_before_start
    if used and keep_days <= before:
        yield Doubt("short-lived-passwords", "passwords.keep_days", keep_days, before)
