"""Whether the key file is the one that this state was made with; another would make everybody look new."""

from __future__ import annotations

from sqlalchemy import Connection, select

from eadm_sync.errors import StateError
from eadm_sync.state import bulk, tables
from eadm_sync.state.crypto import Vault

_DIGEST = "digest_key"
_SEALING = "sealing_key"


def check_key(connection: Connection, vault: Vault) -> None:
    """Reads the keys again, and seals with the one that the state says from here on.

    Refuses a key file that is another, or older than the state; a state that nothing was written to takes any.

    Raises:
        StateError: It is another key file, what digests are made with is gone from it, or it lacks the key that
            another machine seals with.
    """
    vault.refresh()
    columns = tables.meta.c
    query = select(columns.name, columns.value).where(columns.name.in_((_DIGEST, _SEALING)))
    known = {row.name: row.value for row in connection.execute(query)}
    if known.get(_DIGEST, vault.fingerprint) != vault.fingerprint:
        raise StateError(
            "the key file is not the one this state was made with, or its last line is gone: put the right one back. "
            "Nothing was done"
        )
    sealing = known.get(_SEALING, vault.current)
    if sealing not in vault.ids:
        raise StateError(
            f"the key file lacks key '{sealing}', which this state is sealed with since the keys were rotated: "
            "copy the file from the machine on which that was done. Nothing was done"
        )
    vault.seal_with(sealing)


def note_key(connection: Connection, vault: Vault) -> None:
    """Writes down which key file the state is made with, and which key seals."""
    rows = [(_DIGEST, vault.fingerprint), (_SEALING, vault.current)]
    bulk.upsert(connection, tables.meta, ("name", "value"), rows)
