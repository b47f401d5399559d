"""What came to be how: versions of a rule, the audit of a person, account or group, and from an access to its rule."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Select, select

from connectors.contract import Action, Kind
from eadm_sync.app.auditing import AuditRow, audit_row, person_in_audit
from eadm_sync.app.context import Context
from eadm_sync.app.naming import find_person, known_name
from eadm_sync.app.versions import APPLIED, Definition, definitions, files_of, text_diff
from eadm_sync.errors import AmbiguousName, NotFound
from eadm_sync.plan.change import account_key, group_key, licence_key, membership_key, nesting_key, script_key
from eadm_sync.plan.plan import Basis
from eadm_sync.state import tables

_decode_basis = msgspec.json.Decoder(Basis).decode


class RuleVersion(msgspec.Struct, frozen=True):
    """One version in which a rule's text, or that of a condition, table or identifier that it names, changed.

    Attributes:
        version: The ruleset's version.
        at: When it came into force, ISO text in UTC.
        author: Who applied it.
        run: The run that did, or None where it is not known any more.
        change: `added`, `edited` or `removed`.
        file: Where the rule stands in this version, or stood in the former one if it was removed.
        line: 1-based, as `file`.
        diff: Unified difference to the former version.
    """

    version: str
    at: str
    author: str
    run: str | None
    change: str
    file: str
    line: int
    diff: str


class Access(msgspec.Struct, frozen=True):
    """How a person came to an account, a group or a licence.

    Attributes:
        person: The person's id.
        kind: `account`, `membership` or `licence`.
        target: Name of the target.
        name: The target, the group's key or the product.
        rule: Id of the rule that gives it.
        version: The ruleset version that gave it as it is now, or None where that is not kept.
        file: Where the rule stood in that version, or None.
        line: 1-based, as `file`.
        text: The rule as it was in that version.
        given: The line of the audit that says that it was given, or None where it is gone.
        changes: The rule's versions up to the last change of it, the earliest first.
    """

    person: str
    kind: str
    target: str
    name: str
    rule: str
    version: str | None
    file: str | None
    line: int | None
    text: str
    given: AuditRow | None
    changes: tuple[RuleVersion, ...]


def history_of_rule(context: Context, name: str) -> Iterator[RuleVersion]:
    """The versions in which a rule changed, the earliest first, streaming.

    Args:
        context: The installation.
        name: "<ruleset>/<rule>", or the bare name of a rule, condition, table or identifier.

    Raises:
        NotFound, AmbiguousName: No version, or several rulesets, have one of this name.
    """
    with _reading(context) as connection:
        yield from _versions_of(connection, _full_name(connection, name))


def _full_name(connection: Connection, name: str) -> str:
    """The name with its ruleset."""
    known: set[str] = set()
    for (version,) in connection.execute(select(tables.ruleset_versions.c.version)).all():
        known |= definitions(files_of(connection, version)).keys()
    if name in known:
        return name
    called = sorted(one for one in known if one.partition("/")[2] == name)
    if len(called) > 1:
        raise AmbiguousName("rule", name, tuple(called))
    return called[0] if called else known_name("rule", name, known)


def _versions_of(connection: Connection, name: str) -> Iterator[RuleVersion]:
    columns = tables.audit.c
    rows = connection.execute(
        select(columns.at, columns.actor, columns.run_id, columns.object)
        .where(columns.kind == APPLIED)
        .order_by(columns.id)
    ).all()
    before: Definition | None = None
    for at, author, run_id, version in rows:
        now = definitions(files_of(connection, version)).get(name)
        shown = now or before
        if shown is not None and _differ(before, now):
            change = "added" if before is None else "removed" if now is None else "edited"
            diff = text_diff(_text(before, now), _text(now, before), shown.file)
            yield RuleVersion(version, at, author, run_id, change, shown.file, shown.line, diff)
        before = now


def _differ(before: Definition | None, now: Definition | None) -> bool:
    return now is not before if before is None or now is None else now.differs(before)


def _text(one: Definition | None, other: Definition | None) -> str:
    """What of a definition is compared with another version of it."""
    if one is None:
        return ""
    comparable = other is None or (one.is_complete and other.is_complete)
    return one.whole if comparable else one.rules


# ---------------------------------------------------------------- the audit


def history_of_person(context: Context, name: str) -> Iterator[AuditRow]:
    """All that was done for a person, the earliest first, streaming.

    Raises:
        NotFound, AmbiguousName: As `find_person`.
    """
    columns = tables.audit.c
    with _reading(context) as connection:
        yield from _audit(connection, _lines().where(columns.person_id == person_in_audit(connection, name)))


def history_of_account(context: Context, name: str, target: str | None = None) -> Iterator[AuditRow]:
    """All that was done to the accounts of a person, given by anchor or person; of one target where it is named.

    Raises:
        NotFound, AmbiguousName: The target, or the person, is not known so.
    """
    columns, accounts = tables.audit.c, tables.known_accounts.c
    with _reading(context) as connection:
        person = connection.scalar(select(accounts.person_id).where(accounts.anchor == name))
        person = person or person_in_audit(connection, name)
        itself = (columns.kind == Kind.ACCOUNT) & (columns.object == account_key(person))
        scripts = (columns.kind == Kind.SCRIPT) & columns.object.startswith(script_key(person, ""), autoescape=True)
        query = _lines().where(itself | scripts)
        if target is not None:
            query = query.where(columns.target == known_name("target", target, context.loaded.settings.targets))
        yield from _audit(connection, query)


def history_of_group(context: Context, key: str) -> Iterator[AuditRow]:
    """All that was done to a group, its memberships, and its places in groups and those of groups in it.

    Raises:
        NotFound: There is no group with this key, and never was.
    """
    columns = tables.audit.c
    with _reading(context) as connection:
        known = _known_group(connection, key)
        memberships = columns.object.endswith(membership_key("", known).removeprefix("membership:"), autoescape=True)
        itself = (columns.kind == Kind.GROUP) & (columns.object == group_key(known))
        inner = columns.object.startswith(nesting_key(known, ""), autoescape=True)
        outer = columns.object.endswith(nesting_key("", known).removeprefix("nesting:"), autoescape=True)
        links = ((columns.kind == Kind.MEMBERSHIP) & memberships) | ((columns.kind == Kind.NESTING) & (inner | outer))
        yield from _audit(connection, _lines().where(itself | links))


def _known_group(connection: Connection, key: str) -> str:
    """The key of a group that there is, or was."""
    columns, groups = tables.audit.c, tables.known_groups.c
    there_was = select(columns.id).where(columns.kind == Kind.GROUP, columns.object == group_key(key.casefold()))
    if connection.scalar(there_was.limit(1)) is not None:
        return key.casefold()
    known_keys = set(connection.scalars(select(groups.key)))
    return known_name("group", key if key in known_keys else key.casefold(), known_keys)


def _lines() -> Select[Any]:
    return select(tables.audit).order_by(tables.audit.c.id)


def _audit(connection: Connection, query: Select[Any]) -> Iterator[AuditRow]:
    yield from map(audit_row, connection.execute(query.execution_options(yield_per=500)))


# ---------------------------------------------------------------- from an access to its rule


def history_of_access(context: Context, person: str, what: str) -> tuple[Access, ...]:
    """How a person came to an account (named by its target), a group (by key) or a licence (by product).

    Returns:
        One for each target in which the person has it.

    Raises:
        NotFound, AmbiguousName: The person is not known so, or has nothing that is called so.
    """
    with _reading(context) as connection:
        person_id = find_person(connection, person)
        held = tuple(_held(connection, person_id))
        found = [one for one in held if what.casefold() == one.name.casefold()]
        if not found:
            raise NotFound(
                f"account, group or licence of {person_id}", what, tuple(sorted({one.name for one in held})[:5])
            )
        return tuple(_access(connection, person_id, one) for one in found)


class _Held(NamedTuple):
    """Something that a person is known to have; `version` is "" where an older program gave it."""

    kind: Kind
    target: str
    name: str
    rule: str
    version: str
    object_key: str


def _held(connection: Connection, person_id: str) -> Iterator[_Held]:
    """All that a person is known to have."""
    accounts, groups, licences = tables.known_accounts.c, tables.known_memberships.c, tables.known_licences.c
    of_account = select(accounts.target, accounts.rule, accounts.ruleset_version).where(accounts.person_id == person_id)
    of_group = select(groups.target, groups.rule, groups.ruleset_version, groups.group_key)
    of_licence = select(licences.target, licences.rule, licences.ruleset_version, licences.sku)
    for target, rule, version in connection.execute(of_account):
        yield _Held(Kind.ACCOUNT, target, target, rule, version, account_key(person_id))
    for target, rule, version, key in connection.execute(of_group.where(groups.person_id == person_id)):
        yield _Held(Kind.MEMBERSHIP, target, key, rule, version, membership_key(person_id, key))
    for target, rule, version, sku in connection.execute(of_licence.where(licences.person_id == person_id)):
        yield _Held(Kind.LICENCE, target, sku, rule, version, licence_key(person_id, sku))


def _access(connection: Connection, person_id: str, held: _Held) -> Access:
    columns = tables.audit.c
    query = select(tables.audit).where(
        columns.kind == held.kind, columns.object == held.object_key, columns.target == held.target
    )
    latest_first = query.order_by(columns.id.desc()).limit(1)
    row = connection.execute(latest_first.where(columns.action == Action.CREATE)).first()
    given = None if row is None else audit_row(row)
    latest = connection.execute(latest_first).first()
    version = held.version or _version_of(connection, given)
    definition = None if version is None else definitions(files_of(connection, version)).get(held.rule)
    return Access(
        person=person_id,
        kind=held.kind,
        target=held.target,
        name=held.name,
        rule=held.rule,
        version=version,
        file=definition.file if definition else None,
        line=definition.line if definition else None,
        text=definition.text if definition else "",
        given=given,
        changes=tuple(_until(_versions_of(connection, held.rule), None if latest is None else latest.at)),
    )


def _version_of(connection: Connection, given: AuditRow | None) -> str | None:
    """The ruleset version of the run that gave something."""
    if given is None or given.run is None:
        return None
    basis = connection.scalar(select(tables.plans.c.basis).where(tables.plans.c.run_id == given.run).limit(1))
    return None if basis is None else _decode_basis(basis).ruleset


def _until(versions: Iterator[RuleVersion], moment: str | None) -> Iterator[RuleVersion]:
    """Versions that came into force up to a moment; all of them where that is not known."""
    for one in versions:
        if moment is None or one.at <= moment:
            yield one


@contextlib.contextmanager
def _reading(context: Context) -> Iterator[Connection]:
    with context.reading() as database, database.read() as connection:
        yield connection
