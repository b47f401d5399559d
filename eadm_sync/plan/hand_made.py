"""Values that somebody else put into an account: such a one never becomes an alias when it is overwritten.

It may well be another person's address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Kind
from eadm_sync.desired import Desired
from eadm_sync.plan.audited import BY_HAND, decode
from eadm_sync.plan.change import account_key
from eadm_sync.ruleset.rules import Alias
from eadm_sync.state import tables
from eadm_sync.state.known import Known


def without_hand_made(
    connection: Connection, person: str, desired: Desired, known: Known, aliases: Mapping[str, Sequence[Alias]]
) -> Known:
    """What a person is known to have, but for values that would become aliases and that were written by hand."""
    accounts = dict(known.accounts)
    for target, attribute, value in _replaced(desired, known, aliases):
        if value in _written_by_hand(connection, person, target, attribute):
            held = accounts[target]
            kept = {name: one for name, one in held.attributes.items() if name != attribute}
            accounts[target] = msgspec.structs.replace(held, attributes=kept)
    return known if accounts == known.accounts else msgspec.structs.replace(known, accounts=accounts)


def _replaced(
    desired: Desired, known: Known, aliases: Mapping[str, Sequence[Alias]]
) -> Iterator[tuple[str, str, object]]:
    """(target, attribute, value known) of what aliases are made of and is to become something else."""
    for account in desired.accounts:
        held = known.accounts.get(account.target)
        for rule in aliases.get(account.target, ()) if held else ():
            value = held.attributes.get(rule.of) if held else None
            if value is not None and value != account.attributes.get(rule.of):
                yield account.target, rule.of, value


def _written_by_hand(connection: Connection, person: str, target: str, attribute: str) -> Iterator[object]:
    """All that was ever found in an attribute and that nobody here wrote, by the audit."""
    audit = tables.audit.c
    query = select(audit.detail).where(
        audit.kind == str(Kind.ACCOUNT),
        audit.object == account_key(person),
        audit.target == target,
        audit.actor == BY_HAND,
        audit.detail.is_not(None),
    )
    for detail in connection.scalars(query):
        told = decode(detail).attributes.get(attribute)
        if told is not None:
            yield told[1]
