"""Former values of an attribute that an account keeps as aliases: an old address still takes mail after a rename. Pure.

What a value was is known the moment a plan replaces it; it is written down with that plan (`recycled` accounts count
as well: who is restored under another name keeps the old one). A former value never is an alias of itself: whoever
takes an old name back has it as the name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import NamedTuple

import msgspec

from eadm_sync.desired import Desired, DesiredAccount
from eadm_sync.ruleset import Alias
from eadm_sync.state.known import Known


class Former(NamedTuple):
    """A value that somebody's account is about to lose.

    Attributes:
        person: Id.
        target: Name of the target.
        attribute: The attribute it stood in.
        value: The value.
    """

    person: str
    target: str
    attribute: str
    value: str


def with_aliases(
    person: str, desired: Desired, known: Known, aliases: Mapping[str, Sequence[Alias]], today: date
) -> tuple[Desired, tuple[Former, ...]]:
    """What a person shall have, aliases among it; and what is a former value from now on.

    Args:
        person: Id.
        desired: What the rules give.
        known: What the person is known to have, and which values are former ones.
        aliases: By target, what the ruleset says of them.
        today: The local day.
    """
    if not any(account.target in aliases for account in desired.accounts):
        return desired, ()
    formers: list[Former] = []
    accounts = []
    for account in desired.accounts:
        rules = aliases.get(account.target, ())
        formers += (former for rule in rules for former in _replaced(person, account, known, rule))
        accounts.append(_with_aliases(account, known, rules, formers, today))
    return msgspec.structs.replace(desired, accounts=tuple(accounts)), tuple(formers)


def alias_days(
    desired: Desired, known: Known, new: Iterable[Former], aliases: Mapping[str, Sequence[Alias]], today: date
) -> Iterator[date]:
    """The days on which an alias of the person ends; `new` are values that are former ones from today on."""
    replaced = {(one.target, one.attribute) for one in new}
    for account in desired.accounts:
        for rule in aliases.get(account.target, ()):
            place = account.target, rule.of
            for since in (*known.formers.get(place, {}).values(), *([today] if place in replaced else ())):
                end = _end(since, rule)
                if end is not None:
                    yield end


def _replaced(person: str, account: DesiredAccount, known: Known, rule: Alias) -> Iterator[Former]:
    """The value that the account has now, where it is to get another."""
    held = known.accounts.get(account.target) or known.recycled.get(account.target)
    value = held.attributes.get(rule.of) if held else None
    wanted = account.attributes.get(rule.of)
    if isinstance(value, str) and isinstance(wanted, str) and value.casefold() != wanted.casefold():
        yield Former(person, account.target, rule.of, value)


def _with_aliases(
    account: DesiredAccount, known: Known, rules: Sequence[Alias], replaced: Iterable[Former], today: date
) -> DesiredAccount:
    attributes = dict(account.attributes)
    new = list(replaced)
    for rule in rules:
        current = attributes.get(rule.of)
        if not isinstance(current, str):
            continue
        kept = known.formers.get((account.target, rule.of), {})
        values = {value for value, since in kept.items() if _counts(since, rule, today)}
        values |= {one.value for one in new if (one.target, one.attribute) == (account.target, rule.of)}
        given = attributes.get(rule.attribute)
        said = given if isinstance(given, list) else []
        former = {rule.render(value) for value in values if value.casefold() != current.casefold()}
        attributes[rule.attribute] = sorted({*said, *former}) or None
    return msgspec.structs.replace(account, attributes=attributes)


def _counts(since: date, rule: Alias, today: date) -> bool:
    end = _end(since, rule)
    return end is None or today < end


def _end(since: date, rule: Alias) -> date | None:
    """The first day on which a former value is no alias any more; None: it is one for ever."""
    if rule.keep_days is None or date.max - since < timedelta(days=rule.keep_days):
        return None
    return since + timedelta(days=rule.keep_days)
