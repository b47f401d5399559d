"""Which programs follow changes to a person's accounts, and what came of them, for explanations."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec
from sqlalchemy import Connection

from eadm_sync.app.context import Context
from eadm_sync.desired import Desired
from eadm_sync.ruleset.rules import After
from eadm_sync.state.known import Known
from eadm_sync.state.scripts import KnownScript, load_scripts


class Follower(msgspec.Struct, frozen=True):
    """A program that follows changes to one account.

    Attributes:
        target: Name of the account's target.
        name: What the rule calls it.
        rule: Rule that asks for it, or, where none does any more, the one that did.
        on: Events that it follows, in order; empty where no rule asks for it any more.
        is_owed: Whether a change came through that it has not followed yet.
        code: The exit code of the last time; None where it was never run.
        at: When that was, ISO text in UTC, or None.
    """

    target: str
    name: str
    rule: str
    on: tuple[str, ...]
    is_owed: bool
    code: int | None
    at: str | None


def followers(
    context: Context, connection: Connection, person_id: str, desired: Desired, known: Known
) -> Iterator[Follower]:
    """Programs of the accounts that somebody shall have, or has, and those that were run for them, in order.

    Raises:
        StateError: What is known of them cannot be opened.
    """
    held = load_scripts(connection, context.vault, [person_id]).get(person_id, {})
    asked = dict(_asked(context, _rules(desired, known)))
    for place in sorted(asked.keys() | held.keys()):
        yield _follower(place, asked.get(place), held.get(place))


def _rules(desired: Desired, known: Known) -> dict[str, str]:
    """Target → rule of the account there: the one that gives it, else the one that gave it."""
    rules = {target: account.rule for target, account in known.accounts.items()}
    return {**rules, **{account.target: account.rule for account in desired.accounts}}


def _asked(context: Context, rules: Mapping[str, str]) -> Iterator[tuple[tuple[str, str], tuple[str, After]]]:
    """((target, name), (rule, what it says)) of what these accounts' rules ask for."""
    of_rule = {rule.id: rule.after for rule in context.ruleset.accounts}
    for target, rule in rules.items():
        yield from (((target, after.name), (rule, after)) for after in of_rule.get(rule, ()))


def _follower(place: tuple[str, str], asked: tuple[str, After] | None, held: KnownScript | None) -> Follower:
    outcome = held.outcome if held else None
    return Follower(
        *place,
        rule=asked[0] if asked else held.rule if held else "",
        on=tuple(sorted(asked[1].on)) if asked else (),
        is_owed=held is not None and held.owed is not None,
        code=outcome.code if outcome else None,
        at=outcome.at if outcome else None,
    )
