"""Which changes bring a password along: new accounts by their rule, and accounts whose password is reset. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.plan.change import Change
from eadm_sync.state.known import KnownAccount


def policy_of(rules: Container[str], policies: Mapping[str, str], order: Iterable[str]) -> str:
    """The policy that somebody's password is made by, whose accounts are given by some rules; "" where none says so.

    There is one password for all targets: where rules name different policies, the first in the ruleset's order counts.

    Args:
        rules: Ids of the account rules.
        policies: Id of an account rule → name of the policy; rules that give no password are left out.
        order: Names of all policies as they stand in the ruleset.
    """
    named = {policy for rule, policy in policies.items() if rule in rules}
    return next((policy for policy in order if policy in named), "")


def with_passwords(changes: Iterable[Change], policies: Container[str], policy: str) -> tuple[Change, ...]:
    """The changes, in which new accounts say by which policy their password is to be made.

    Accounts that are adopted, or taken out of the recycle bin, keep the password that they have.

    Args:
        changes: Of one person.
        policies: Ids of the account rules that give a password.
        policy: The person's (`policy_of`).
    """
    return tuple(
        msgspec.structs.replace(change, password=policy)
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
