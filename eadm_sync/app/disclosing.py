"""What is sent in clear to where everybody can read it; and how a value that was sent encrypted is read again."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from eadm_sync.app.context import Context
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.sealing import check_key
from eadm_sync.state.sending import decrypted

_NATIONAL_ID = "person.national_id"
_encode = msgspec.msgpack.Encoder().encode


class Disclosed(NamedTuple):
    """A national id that a rule sends in clear to an attribute that everybody can read.

    Attributes:
        rule: Id of the rule.
        file: Where it stands.
        line: 1-based.
        target: Name of the target.
        attribute: The attribute.
    """

    rule: str
    file: str
    line: int
    target: str
    attribute: str


def disclosed(context: Context) -> Iterator[Disclosed]:
    """All of them, in order of the rules."""
    for rule in context.ruleset.accounts:
        readable = {name.casefold() for name in context.capabilities(rule.target).world_readable}
        for name, part in rule.attributes.items():
            is_clear = _NATIONAL_ID in part.reads and name not in rule.sends
            if is_clear and name.casefold() in readable:
                yield Disclosed(rule.id, rule.file, rule.line, rule.target, name)


def disclose(context: Context, text: str) -> str:
    """The value in clear of what was sent encrypted. That somebody has read one is audited, not which.

    Raises:
        StateError: It is none of ours, was altered, or its key was retired; or the state cannot be used.
    """
    with context.writing() as database:
        with database.read() as connection:
            check_key(connection, context.vault)
        value = decrypted(context.vault, text.strip())
        entry = AuditEntry(
            context.clock.now().isoformat(), None, context.actor, None, "key", "open", "sent value", None, _encode({})
        )
        with database.write() as connection:
            append_audit(connection, context.vault, [entry])
    return value
