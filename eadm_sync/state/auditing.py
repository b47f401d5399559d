"""The audit's chain: what each line commits to, how lines are added, and how what a person's lines told is forgotten.

Every target has a chain of its own, and so has what is done to the installation itself: workers of different targets
need not wait for each other, while those of one target already do (`outcomes.count_confirmed`). A line's `digest` is a
keyed hash over the line before it in its chain and over everything that the line says. Whoever can write to the
database but has no key file cannot make one. Of its `detail`, which holds values of people, the line covers a salted
hash only: where detail and salt are deleted, nothing can be told from what remains, and the chain still holds.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec
from sqlalchemy import Connection, select, text

from eadm_sync.state import bulk, tables
from eadm_sync.state.crypto import Vault

SALT_BYTES = 16
DIGEST_BYTES = 32

_HEADS = "audit_head:"
UNCHAINED = "audit_unchained"
"""Name in `meta` of the last line that was written before there was a chain, until that has been covered."""

BEGIN = "begin"
"""Action of the line that covers those of before the chain."""

AUDIT = "audit"
"""Kind of lines on the audit itself."""

_COLUMNS = ("at", "run_id", "actor", "target", "kind", "action", "object", "person_id")

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class AuditEntry(msgspec.Struct, frozen=True):
    """One line of the audit: `detail` is msgpack with sensitive values sealed. Moments are ISO text in UTC."""

    at: str
    run_id: str | None
    actor: str
    target: str | None
    kind: str
    action: str
    object: str
    person_id: str | None
    detail: bytes


def commitment(salt: bytes, detail: bytes) -> bytes:
    """The salted hash of a detail: keyed BLAKE2b (RFC 7693), 32 bytes.

    Of a sealed value it covers the keyed hash, not the ciphertext: that one changes when old keys are retired.
    """
    return hashlib.blake2b(_lasting(detail), digest_size=DIGEST_BYTES, key=salt, person=b"detail").digest()


def _lasting(detail: bytes) -> bytes:
    if b"ciphertext" not in detail:
        return detail
    try:
        return _encode(_without_ciphertext(_decode(detail)))
    except msgspec.DecodeError:
        return detail


def _without_ciphertext(value: Any) -> Any:
    if isinstance(value, dict):
        if value.keys() == {"ciphertext", "digest"}:
            return {"digest": value["digest"]}
        return {key: _without_ciphertext(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_without_ciphertext(each) for each in value]
    return value


def link(vault: Vault, former: bytes, values: tuple[str | None, ...], detail_digest: bytes) -> bytes:
    """The digest of a line behind `former`; `values` are all others, in the order of `_COLUMNS`."""
    return vault.mac(_encode((former, values, detail_digest)), b"audit")


def append_audit(connection: Connection, vault: Vault, entries: Iterable[AuditEntry]) -> None:
    """Adds lines to the audit, each behind the last one of its target (or of what has no target).

    Until the transaction ends, nobody else can add lines about the same targets. Targets are always taken in the same
    order, so that two transactions do not wait for each other for ever.
    """
    chains: dict[str, list[AuditEntry]] = {}
    for entry in entries:
        chains.setdefault(entry.target or "", []).append(entry)
    for name in sorted(chains):
        head = _Head(connection, vault, name)
        bulk.insert(
            connection,
            tables.audit,
            (*_COLUMNS, "detail", "salt", "detail_digest", "digest"),
            map(head.row, chains[name]),
        )
        head.store()


class _Head:
    """The end of one chain, locked until the transaction ends."""

    def __init__(self, connection: Connection, vault: Vault, name: str) -> None:
        self._connection = connection
        self._vault = vault
        self._name = f"{_HEADS}{name}"
        self._digest = bytes.fromhex(connection.scalar(_LOCK, {"name": self._name}) or "")

    def row(self, entry: AuditEntry) -> tuple[Any, ...]:
        """A line as the table holds it; it becomes the end."""
        *values, detail = msgspec.structs.astuple(entry)
        salt = os.urandom(SALT_BYTES)
        covered = commitment(salt, detail)
        self._digest = link(self._vault, self._digest, tuple(values), covered)
        return (*values, detail, salt, covered, self._digest)

    def store(self) -> None:
        """Keeps the end, so that lines that are missing there are noticed."""
        bulk.upsert(self._connection, tables.meta, ("name", "value"), [(self._name, self._digest.hex())])


_LOCK = text(
    "INSERT INTO meta (name, value) VALUES (:name, '') "
    "ON CONFLICT (name) DO UPDATE SET value = meta.value RETURNING value"
)
"""Reads and locks in one; a plain SELECT would find nothing to lock in a chain that is new."""


def heads(connection: Connection) -> dict[str, bytes]:
    """The digest of the last line of each chain, by target; "" is the chain of what has none."""
    rows = connection.execute(select(tables.meta.c.name, tables.meta.c.value).order_by(tables.meta.c.name))
    return {name.removeprefix(_HEADS): bytes.fromhex(value) for name, value in rows if name.startswith(_HEADS)}


# ---------------------------------------------------------------- lines of before the chain


def has_unchained(connection: Connection) -> bool:
    """Whether lines of before the chain wait for being covered by it (`cover_unchained`)."""
    return connection.scalar(select(tables.meta.c.value).where(tables.meta.c.name == UNCHAINED)) is not None


def cover_unchained(connection: Connection, vault: Vault, at: str, actor: str) -> None:
    """Adds a line that commits to all lines that an older program wrote, once; reads each of them."""
    last = connection.scalar(text("DELETE FROM meta WHERE name = :name RETURNING value"), {"name": UNCHAINED})
    if last is None:
        return
    count, digest = digest_of_unchained(connection, vault, int(last))
    detail = _encode({"lines": count, "digest": digest.hex()})
    append_audit(connection, vault, [AuditEntry(at, None, actor, None, AUDIT, BEGIN, last, None, detail)])


def digest_of_unchained(connection: Connection, vault: Vault, last: int) -> tuple[int, bytes]:
    """How many lines up to an id have no digest of their own, and one digest over all of them."""
    count, digest = 0, b""
    for row in lines(connection, upto=last):
        if row.digest is None:
            count += 1
            digest = link(vault, digest, (str(row.id), *values_of(row)), row.detail_digest)
    return count, digest


def lines(connection: Connection, upto: int | None = None) -> Iterator[Any]:
    """All rows of the audit in order, or those up to an id; streaming."""
    query = select(tables.audit).order_by(tables.audit.c.id)
    if upto is not None:
        query = query.where(tables.audit.c.id <= upto)
    yield from connection.execute(query.execution_options(yield_per=2_000))


def values_of(row: Any) -> tuple[str | None, ...]:
    """What `link` covers of a row, in its order."""
    return (row.at, row.run_id, row.actor, row.target, row.kind, row.action, row.object, row.person_id)


# ---------------------------------------------------------------- forgetting


def forget_details(connection: Connection, person_id: str) -> int:
    """Deletes what the audit's lines about a person tell beyond that they were; returns how many lines it was.

    That something was done to which object, when, by whom, stays. Add a line of kind `person`, action `purge`, with
    this person's id in the same transaction: without one, `audit verify` takes the missing details for tampering.
    """
    audit = tables.audit
    forgotten = audit.update().where(audit.c.person_id == person_id, audit.c.detail.is_not(None))
    return connection.execute(forgotten.values(detail=None, salt=None)).rowcount


# ---------------------------------------------------------------- append-only


def protect(connection: Connection) -> None:
    """Has the database refuse to change or delete lines; all it allows is `forget_details` and to seal values anew."""
    for statement in _POSTGRESQL if connection.dialect.name == "postgresql" else _SQLITE:
        connection.exec_driver_sql(statement)


_FIXED = ", ".join(("id", *_COLUMNS, "detail_digest", "digest"))
_REFUSAL = "the audit is append-only"

_SQLITE = (
    f"CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    f"CREATE TRIGGER audit_no_update BEFORE UPDATE OF {_FIXED} ON audit BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END",
    f"""
    CREATE TRIGGER audit_details BEFORE UPDATE OF detail, salt ON audit
    WHEN NOT (NEW.detail IS NULL AND NEW.salt IS NULL) AND NOT (
        NEW.detail IS NOT NULL AND NEW.salt IS OLD.salt AND instr(OLD.detail, CAST('ciphertext' AS BLOB)) > 0
    )
    BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END
    """,
)
_POSTGRESQL = (
    f"""
    CREATE FUNCTION audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        RAISE EXCEPTION '{_REFUSAL}';
    END $$
    """,
    "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()",
    "CREATE TRIGGER audit_no_truncate BEFORE TRUNCATE ON audit EXECUTE FUNCTION audit_is_append_only()",
    f"""
    CREATE TRIGGER audit_no_update BEFORE UPDATE OF {_FIXED} ON audit
    FOR EACH ROW EXECUTE FUNCTION audit_is_append_only()
    """,
    """
    CREATE TRIGGER audit_details BEFORE UPDATE OF detail, salt ON audit FOR EACH ROW
    WHEN (NOT (NEW.detail IS NULL AND NEW.salt IS NULL) AND NOT (
        NEW.detail IS NOT NULL AND NEW.salt IS NOT DISTINCT FROM OLD.salt
        AND position('ciphertext'::bytea IN OLD.detail) > 0
    ))
    EXECUTE FUNCTION audit_is_append_only()
    """,
)
