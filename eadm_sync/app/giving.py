"""What first passwords of this installation are made by."""

from __future__ import annotations

from eadm_sync.app.context import Context
from eadm_sync.delivery.passwords import Passwords


def first_passwords(context: Context) -> Passwords:
    """Makes passwords that do for every target that takes them, by the rules in force.

    Raises:
        ConfigError: The rules are wrong.
    """
    able = [context.capabilities(name) for name in context.loaded.settings.targets]
    return Passwords(
        policies=context.ruleset.passwords,
        rules=[one.password_rules for one in able if one.passwords],
        keep_days=context.loaded.settings.passwords.keep_days,
    )
