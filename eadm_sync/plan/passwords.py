"""Which changes bring a password along: new accounts by their rule, and accounts whose password is reset. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.plan.change import Change
from eadm_sync.state.known import KnownAccount


def with_passwords(changes: Iterable[Change], policies: Mapping[str, str]) -> tuple[Change, ...]:
    """The changes, in which new accounts say by which policy their password is to be made.

    Accounts that are adopted, or taken out of the recycle bin, keep the password that they have.

    Args:
        changes: Of one person.
        policies: Id of an account rule → name of the policy; rules that give no password are left out.
    """
    return tuple(
        msgspec.structs.replace(change, password=policies[change.rule])
        if change.kind is Kind.ACCOUNT and change.action is Action.CREATE and change.rule in policies
        else change
        for change in changes
    )


def reset_passwords(person_id: str, accounts: Iterable[KnownAccount], policy: str, reason: str) -> tuple[Change, ...]:
    """Another password for each of these accounts of one person, ahead of everything else; no brake holds it."""
    return tuple(
        Change(
            account.target,
            Kind.ACCOUNT,
            Action.UPDATE,
            person=person_id,
            rule=account.rule,
            reason=reason,
            urgent=True,
            password=policy,
        )
        for account in accounts
    )
