"""Whether the key file is the one that this state was made with; another would make everybody look new."""

from __future__ import annotations

from sqlalchemy import Connection, select

from eadm_sync.errors import StateError
from eadm_sync.state import bulk, tables
from eadm_sync.state.crypto import Vault

_NAME = "digest_key"


def check_key(connection: Connection, vault: Vault) -> None:
    """Refuses a key file whose last key is not that of the state; a state that nothing was written to takes any.

    Raises:
        StateError: It is another key file, or its last line was taken out.
    """
    known = connection.scalar(select(tables.meta.c.value).where(tables.meta.c.name == _NAME))
    if known is not None and known != vault.fingerprint:
        raise StateError(
            "the key file is not the one this state was made with, or its last line is gone: put the right one back. "
            "Nothing was done"
        )


def note_key(connection: Connection, vault: Vault) -> None:
    """Writes down which key file the state is made with."""
    bulk.upsert(connection, tables.meta, ("name", "value"), [(_NAME, vault.fingerprint)])
