"""Notes in the audit when a run is the first to use an edited configuration, and what was edited; never a secret."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from sqlalchemy import Connection, select

from eadm_sync.app.context import Context
from eadm_sync.app.versions import Applied, text_diff
from eadm_sync.config.yaml import Document
from eadm_sync.state import bulk, tables
from eadm_sync.state.auditing import AuditEntry, append_audit

CONFIGURED = "configuration"
"""Kind of the audit's lines on the configuration, and the name in `meta` of the one in use."""

_VERSION_DIGITS = 16
_NOT_SHOWN = "(not shown: it seems to hold a secret)"


class _InUse(msgspec.Struct, frozen=True):
    """What is kept of the configuration in use: its version, and its text as it can be shown."""

    version: str
    text: str


def note_configuration(context: Context, connection: Connection, run_id: str) -> None:
    """Writes into the audit that another configuration is in use, if the former run had another one.

    A version is a keyed hash of the file, so that the edit of a secret is noticed and nobody can try what it may be.

    Args:
        context: The installation.
        connection: The transaction that accepts the run's plan.
        run_id: The run.
    """
    document = context.loaded.document
    version = context.vault.mac(document.text.encode(), CONFIGURED.encode()).hex()[:_VERSION_DIGITS]
    stored = connection.scalar(select(tables.meta.c.value).where(tables.meta.c.name == CONFIGURED))
    former = None if stored is None else msgspec.json.decode(stored, type=_InUse)
    if former is not None and former.version == version:
        return
    now = _InUse(version, shown(document))
    diff = text_diff(former.text if former else "", now.text, document.file)
    detail = msgspec.msgpack.encode(Applied(former.version if former else None, diff))
    at = context.clock.now().isoformat()
    append_audit(
        connection,
        context.vault,
        [AuditEntry(at, run_id, context.actor, None, CONFIGURED, "apply", version, None, detail)],
    )
    bulk.upsert(connection, tables.meta, ("name", "value"), [(CONFIGURED, msgspec.json.encode(now).decode())])


def shown(document: Document) -> str:
    """The text of a configuration, with lines that seem to hold a secret, and what belongs to them, left out."""
    return "".join(f"{one}\n" for one in _shown(document))


def _shown(document: Document) -> Iterator[str]:
    hidden_margin: int | None = None
    for number, text in enumerate(document.text.splitlines(), 1):
        margin = len(text) - len(text.lstrip())
        if hidden_margin is not None and (not text.strip() or margin > hidden_margin):
            continue  # a secret can go on over several lines
        hidden_margin = None
        if document.excerpt(number) is None:
            hidden_margin = margin
            yield " " * margin + _NOT_SHOWN
        else:
            yield text
