"""One search on a bound connection, its entries as bytes: at half of what ldap3 takes, which makes text of them too.

ldap3 writes the request and reads the last message of the answer, which has the controls.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import ldap3
from ldap3.core.exceptions import LDAPSessionTerminatedByServerError
from ldap3.operation.search import search_operation
from ldap3.utils.asn1 import decode_message_fast

from connectors.active_directory.ber import Entry, decode, message_end

Control = tuple[str, bool, bytes | None]
"""OID, whether it is critical, and its value (BER)."""

_RECEIVE_BYTES = 1 << 17


def search(
    connection: Any, base: str, filter_: str, scope: str, attributes: Sequence[str], controls: Sequence[Any]
) -> tuple[list[Entry], Mapping[str, Any]]:
    """What a search found, and how it ended, as ldap3 has it; references to other servers are passed over.

    Nothing else may be under way on the connection.

    Raises:
        LDAPException, OSError: The connection broke, or an answer took too long; give it up.
    """
    request = search_operation(
        base,
        filter_,
        scope,
        ldap3.DEREF_NEVER,
        list(attributes),
        0,
        0,
        types_only=False,
        auto_escape=False,
        auto_encode=False,
    )
    message_id = connection.send("searchRequest", request, list(controls) or None)
    entries: list[Entry] = []
    for message in _messages(connection.socket):
        answered, said = decode(message)
        if answered != message_id:  # 0: a notice of disconnection, RFC 4511 section 4.4.1
            raise LDAPSessionTerminatedByServerError("the domain controller ended the session")
        if isinstance(said, Entry):
            entries.append(said)
        elif said is not None:
            connection.strategy._outstanding.pop(message_id)  # noqa: SLF001 - ldap3 waits for it no longer
            return entries, connection.strategy.decode_response_fast(decode_message_fast(message))
    raise LDAPSessionTerminatedByServerError("the domain controller closed the connection")


def _messages(socket: Any) -> Iterator[bytes]:
    """Whole messages, until the connection is closed."""
    received = bytearray()
    while data := socket.recv(_RECEIVE_BYTES):
        received += data
        start = 0
        while (end := message_end(received, start)) is not None:
            yield bytes(received[start:end])
            start = end
        del received[:start]
