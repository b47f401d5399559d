"""Verifies the audit: whether every line is as it was written, and none is missing, added or in another place."""

from __future__ import annotations

import hmac
import itertools
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, Select, select

from eadm_sync.state import tables
from eadm_sync.state.auditing import (
    AUDIT,
    BEGIN,
    UNCHAINED,
    AuditEntry,
    append_audit,
    commitment,
    heads,
    lines,
    link,
    values_of,
)
from eadm_sync.state.crypto import Vault

CHECKPOINT = "checkpoint"
"""Action of a line that commits to the ends of all chains."""

PURGED = ("person", "purge")
"""Kind and action of the line which says that a person was forgotten."""

MOST_FAULTS = 100
"""Kept in a report. More than a hundred have one cause."""

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class Fault(msgspec.Struct, frozen=True):
    """One place at which the audit is not as it was written.

    Attributes:
        what: `broken` (this line, or one just before it of the same target, was changed, removed, added or moved),
            `detail` (what it tells was changed), `detail-removed` (though its person was never purged), `unchained` (it
            was added by somebody who lacks the key), `former` (a line of before the chain was changed), `checkpoint`
            (what a checkpoint committed to is not there), `end` (lines are missing at the end), `expected` (no line has
            the digest that was asked for).
        line: Id of the line; None for `end` and `expected`.
        at: Its time, or None.
        target: Whose chain it is; None for what is done to the installation itself.
        about: Object key, or the digest that is missing.
    """

    what: str
    line: int | None
    at: str | None
    target: str | None
    about: str


class Verified(msgspec.Struct, frozen=True):
    """What verifying the audit found.

    Attributes:
        lines: How many there are.
        former: Of these, lines that were written before there was a chain.
        uncovered: Of these, lines that no later line covers: they could have been changed.
        forgotten: Lines whose detail was purged with its person.
        last: Id of the last line, 0 where there is none.
        faults: The first of them, in order; empty where all is well.
    """

    lines: int
    former: int
    uncovered: int
    forgotten: int
    last: int
    faults: tuple[Fault, ...]


@dataclass
class _Verification:
    """Takes the lines one by one."""

    vault: Vault
    expected: set[bytes]
    committed: dict[tuple[str, bytes], Any]
    pending: int
    chains: dict[str, bytes] = field(default_factory=dict)
    lines: int = 0
    last: int = 0
    former: int = 0
    former_digest: bytes = b""
    uncovered: list[Any] = field(default_factory=list)
    forgotten: int = 0
    removed: dict[str, list[Any]] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)

    def look_at(self, row: Any) -> None:
        """Compares one line with what it commits to."""
        self.lines += 1
        self.last = row.id
        self._look_at_detail(row)
        if row.digest is None:
            self._look_at_former(row)
            return
        name = row.target or ""
        made = link(self.vault, self.chains.get(name, b""), values_of(row), row.detail_digest)
        if not hmac.compare_digest(made, row.digest):
            self._fault("broken", row)
        self.chains[name] = row.digest  # what follows is held against what is there, so that each fault is told once
        self.expected.discard(row.digest)
        self.committed.pop((name, row.digest), None)
        if row.kind == AUDIT and row.detail is not None:
            self._look_at_commitment(row)
        elif (row.kind, row.action) == PURGED:
            self.forgotten += len(self.removed.pop(row.person_id or "", ()))

    def finish(self, known: Mapping[str, bytes]) -> Verified:
        """Compares the ends with those that are known, once all lines were looked at."""
        for row in itertools.chain(*self.removed.values()):
            self._fault("detail-removed", row)
        for row in self.uncovered:
            if row.id > self.pending:
                self._fault("unchained", row)
        for row in self.committed.values():
            self._fault("checkpoint", row)
        for name in sorted(known.keys() | self.chains.keys()):
            if known.get(name, b"") != self.chains.get(name, b""):
                self.faults.append(Fault("end", None, None, name or None, ""))
        for digest in sorted(self.expected):
            self.faults.append(Fault("expected", None, None, None, digest.hex()))
        self.faults.sort(key=lambda fault: (fault.line is None, fault.line or 0))
        return Verified(
            lines=self.lines,
            former=self.former,
            uncovered=len(self.uncovered),
            forgotten=self.forgotten,
            last=self.last,
            faults=tuple(self.faults[:MOST_FAULTS]),
        )

    def _look_at_detail(self, row: Any) -> None:
        if row.detail is None:
            self.removed.setdefault(row.person_id or "", []).append(row)
        elif row.salt is None or commitment(row.salt, row.detail) != row.detail_digest:
            self._fault("detail", row)

    def _look_at_former(self, row: Any) -> None:
        """A line without a digest of its own: older than the chain, or added past the program."""
        self.former += 1
        self.uncovered.append(row)
        self.former_digest = link(self.vault, self.former_digest, (str(row.id), *values_of(row)), row.detail_digest)

    def _look_at_commitment(self, row: Any) -> None:
        if row.action == BEGIN:
            told = _decode(row.detail)
            if (told["lines"], told["digest"]) != (self.former, self.former_digest.hex()):
                self._fault("former", row)
            self.uncovered.clear()

    def _fault(self, what: str, row: Any) -> None:
        self.faults.append(Fault(what, row.id, row.at, row.target, row.object))


def verify(connection: Connection, vault: Vault, expected: Collection[bytes] = ()) -> Verified:
    """Looks at every line of the audit; streaming.

    Args:
        connection: One consistent view of the state.
        vault: The installation's keys.
        expected: Digests of lines that were kept elsewhere, and must be there.
    """
    pending = connection.scalar(select(tables.meta.c.value).where(tables.meta.c.name == UNCHAINED))
    verification = _Verification(vault, set(expected), _committed(connection), int(pending or 0))
    for row in lines(connection):
        verification.look_at(row)
    return verification.finish(heads(connection))


def add_checkpoint(connection: Connection, vault: Vault, at: str, actor: str) -> tuple[int, bytes]:
    """Adds a line that commits to the ends of all chains; returns its id and digest, which to keep elsewhere."""
    detail = _encode({"chains": {name: digest.hex() for name, digest in heads(connection).items()}})
    append_audit(connection, vault, [AuditEntry(at, None, actor, None, AUDIT, CHECKPOINT, AUDIT, None, detail)])
    audit = tables.audit.c
    row = connection.execute(_checkpoints().order_by(audit.id.desc()).limit(1)).one()
    return row.id, row.digest


def _committed(connection: Connection) -> dict[tuple[str, bytes], Any]:
    """What checkpoints committed to: (target, digest) → the last checkpoint that did."""
    return {
        (name, bytes.fromhex(digest)): row
        for row in connection.execute(_checkpoints().order_by(tables.audit.c.id)).all()
        if row.detail is not None
        for name, digest in _decode(row.detail)["chains"].items()
    }


def _checkpoints() -> Select[Any]:
    audit = tables.audit.c
    return select(tables.audit).where(audit.kind == AUDIT, audit.object == AUDIT, audit.action == CHECKPOINT)
