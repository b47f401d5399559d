"""Confirmed outcomes become known state, in the caller's transaction and in bulk."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date

import msgspec
from sqlalchemy import Connection, select, text

from eadm_sync.state import bulk, tables
from eadm_sync.state.known import KnownAccount, KnownGroup, encode_altered, encode_attributes

_ACCOUNT = (
    "person_id",
    "target",
    "anchor",
    "container",
    "enabled",
    "attributes",
    "rule",
    "ruleset_version",
    "deactivated_on",
    "altered",
)
_GROUP = ("target", "key", "anchor", "container", "attributes", "rule", "ruleset_version", "altered")


class Confirmations(msgspec.Struct):
    """What a batch of outcomes says the target now holds; all of one target.

    Attributes:
        accounts: (person id, account as it now is).
        accounts_gone: Person ids.
        recycled: (person id, account as it was, local day) of those gone that the target keeps in a recycle bin.
        groups: As they now are.
        groups_gone: Their keys.
        memberships: (person id, group key, role, rule).
        memberships_gone: (person id, group key).
        nestings: (group key, key of the group in it, rule).
        nestings_gone: (group key, key of the group that was in it).
        licences: (person id, sku, rule).
        licences_gone: (person id, sku).
    """

    accounts: list[tuple[str, KnownAccount]] = []
    accounts_gone: list[str] = []
    recycled: list[tuple[str, KnownAccount, date]] = []
    groups: list[KnownGroup] = []
    groups_gone: list[str] = []
    memberships: list[tuple[str, str, str, str]] = []
    memberships_gone: list[tuple[str, str]] = []
    nestings: list[tuple[str, str, str]] = []
    nestings_gone: list[tuple[str, str]] = []
    licences: list[tuple[str, str, str]] = []
    licences_gone: list[tuple[str, str]] = []


class Lost(msgspec.Struct):
    """Since when people have what nothing gives them any more: each with the day as ISO text, or None: it is given.

    Attributes:
        accounts: (day, person id, target).
        memberships: (day, person id, target, group key).
        licences: (day, person id, target, sku).
    """

    accounts: list[tuple[str | None, str, str]] = []
    memberships: list[tuple[str | None, str, str, str]] = []
    licences: list[tuple[str | None, str, str, str]] = []


class Renamed(msgspec.Struct):
    """What is known to be given by a rule that gives it no more, while another one does: each with that one's id.

    Attributes:
        accounts: (rule, person id, target).
        groups: (rule, target, group key).
        memberships: (rule, person id, target, group key).
        nestings: (rule, target, group key, key of the group in it).
        licences: (rule, person id, target, sku).
    """

    accounts: list[tuple[str, str, str]] = []
    groups: list[tuple[str, str, str]] = []
    memberships: list[tuple[str, str, str, str]] = []
    nestings: list[tuple[str, str, str, str]] = []
    licences: list[tuple[str, str, str, str]] = []


def confirm(connection: Connection, target: str, confirmed: Confirmations, ruleset_version: str) -> None:
    """Writes down what a target is now known to hold."""
    bulk.upsert(
        connection,
        tables.known_accounts,
        _ACCOUNT,
        (
            (
                person_id,
                target,
                account.anchor,
                account.container,
                account.enabled,
                encode_attributes(account.attributes),
                account.rule,
                ruleset_version,
                _iso(account.deactivated_on),
                encode_altered(account.altered),
            )
            for person_id, account in confirmed.accounts
        ),
    )
    bulk.upsert(
        connection,
        tables.known_groups,
        _GROUP,
        (
            (
                target,
                group.key,
                group.anchor,
                group.container,
                encode_attributes(group.attributes),
                group.rule,
                ruleset_version,
                encode_altered(group.altered),
            )
            for group in confirmed.groups
        ),
    )
    bulk.upsert(
        connection,
        tables.known_memberships,
        ("person_id", "target", "group_key", "role", "rule", "ruleset_version"),
        (
            (person_id, target, group, role, rule, ruleset_version)
            for person_id, group, role, rule in confirmed.memberships
        ),
    )
    bulk.upsert(
        connection,
        tables.known_nestings,
        ("target", "group_key", "member_key", "rule", "ruleset_version"),
        ((target, group, member, rule, ruleset_version) for group, member, rule in confirmed.nestings),
    )
    bulk.upsert(
        connection,
        tables.known_licences,
        ("person_id", "target", "sku", "rule", "ruleset_version"),
        ((person_id, target, sku, rule, ruleset_version) for person_id, sku, rule in confirmed.licences),
    )
    _recycle(connection, target, confirmed, ruleset_version)
    _remove(connection, target, confirmed)


def forget_recycled(connection: Connection, target: str, person_ids: Iterable[str]) -> None:
    """Notes that a target has nothing of these people in its recycle bin."""
    gone = ((person_id, target) for person_id in person_ids)
    bulk.delete(connection, tables.recycled_accounts, ("person_id", "target"), gone)


def _recycle(connection: Connection, target: str, confirmed: Confirmations, ruleset_version: str) -> None:
    """Keeps what a target has in its recycle bin, and forgets it of people who have an account again."""
    back = ((person_id, target) for person_id, _ in confirmed.accounts)
    bulk.delete(connection, tables.recycled_accounts, ("person_id", "target"), back)
    names = tuple(column.name for column in tables.recycled_accounts.columns)
    rows = (
        (
            person_id,
            target,
            account.anchor,
            account.container,
            encode_attributes(account.attributes),
            account.rule,
            ruleset_version,
            _iso(account.deactivated_on),
            day.isoformat(),
        )
        for person_id, account, day in confirmed.recycled
    )
    bulk.upsert(connection, tables.recycled_accounts, names, rows)


def _remove(connection: Connection, target: str, confirmed: Confirmations) -> None:
    """Takes out what is gone; with an account or a group, all that hung on it."""
    gone = [(person_id, target) for person_id in confirmed.accounts_gone]
    for table in (tables.known_accounts, tables.known_memberships, tables.known_licences):
        bulk.delete(connection, table, ("person_id", "target"), gone)
    ended = [(target, key) for key in confirmed.groups_gone]
    bulk.delete(connection, tables.known_groups, ("target", "key"), ended)
    for end in ("group_key", "member_key"):
        bulk.delete(connection, tables.known_nestings, ("target", end), ended)
    bulk.delete(
        connection,
        tables.known_nestings,
        ("target", "group_key", "member_key"),
        ((target, group, member) for group, member in confirmed.nestings_gone),
    )
    bulk.delete(
        connection,
        tables.known_memberships,
        ("person_id", "target", "group_key"),
        ((person_id, target, group) for person_id, group in confirmed.memberships_gone),
    )
    bulk.delete(
        connection,
        tables.known_licences,
        ("person_id", "target", "sku"),
        ((person_id, target, sku) for person_id, sku in confirmed.licences_gone),
    )


def note_lost(connection: Connection, lost: Lost) -> None:
    """Writes down since when people have what nothing gives them any more."""
    for table, keys, rows in (
        (tables.known_accounts, ("person_id", "target"), lost.accounts),
        (tables.known_memberships, ("person_id", "target", "group_key"), lost.memberships),
        (tables.known_licences, ("person_id", "target", "sku"), lost.licences),
    ):
        bulk.update(connection, table, ("lost_on",), keys, rows)


def note_renamed(connection: Connection, renamed: Renamed, ruleset_version: str) -> None:
    """Writes down which rule gives what is known, where it is called otherwise or another one has taken its place."""
    for table, keys, rows in (
        (tables.known_accounts, ("person_id", "target"), renamed.accounts),
        (tables.known_groups, ("target", "key"), renamed.groups),
        (tables.known_memberships, ("person_id", "target", "group_key"), renamed.memberships),
        (tables.known_nestings, ("target", "group_key", "member_key"), renamed.nestings),
        (tables.known_licences, ("person_id", "target", "sku"), renamed.licences),
    ):
        values = ((rule, ruleset_version, *key) for rule, *key in rows)
        bulk.update(connection, table, ("rule", "ruleset_version"), keys, values)


def count_confirmed(connection: Connection, target: str, number: int) -> None:
    """Raises a target's version of known state by the number of confirmed changes."""
    connection.execute(_COUNT, {"name": f"known_version:{target}", "first": str(number), "more": number})


_COUNT = text(
    "INSERT INTO meta (name, value) VALUES (:name, :first) "
    "ON CONFLICT (name) DO UPDATE SET value = CAST(CAST(meta.value AS BIGINT) + :more AS TEXT)"
)
"""One statement, so that two workers cannot both count from the same number."""


def mark_confirmed(connection: Connection, target: str) -> None:
    """Marks how far the audit goes, behind what a target confirmed in this transaction.

    Whoever has called `count_confirmed` before writing to the audit knows that all the target confirms later comes
    behind the mark: the count's row is locked until the transaction ends, so that others draw their ids after that.
    """
    connection.execute(_MARK, {"name": f"{_MARKS}{target}"})


_MARKS = "known_mark:"
_MARK = text(
    "INSERT INTO meta (name, value) VALUES (:name, CAST((SELECT max(id) FROM audit) AS TEXT)) "
    "ON CONFLICT (name) DO UPDATE SET value = excluded.value"
)


def known_marks(connection: Connection, targets: Sequence[str]) -> dict[str, int]:
    """The audit's id behind each target's latest confirmed change; 0 where there is none."""
    rows = connection.execute(select(tables.meta.c.name, tables.meta.c.value))
    found = {name: int(value) for name, value in rows if name.startswith(_MARKS)}
    return {target: found.get(f"{_MARKS}{target}", 0) for target in targets}


def known_versions(connection: Connection, targets: Sequence[str]) -> dict[str, int]:
    """Each target's version of known state."""
    rows = connection.execute(select(tables.meta.c.name, tables.meta.c.value))
    found = {name: int(value) for name, value in rows if name.startswith("known_version:")}
    return {target: found.get(f"known_version:{target}", 0) for target in targets}


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
