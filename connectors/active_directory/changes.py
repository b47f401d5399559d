"""What changed in a domain since a moment: the DirSync control ([MS-ADTS] 3.1.1.3.4.1.3).

It tells of attributes that were asked for and changed, of each link that was added or removed, and of deletions; a
cookie says until where. A cookie is taken back to the domain controller and database that it came from only.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from typing import Any

from ldap3.protocol.controls import build_control
from ldap3.protocol.microsoft import DirSyncControlRequestValue

from connectors.active_directory.ber import Entry
from connectors.active_directory.connection import Session
from connectors.active_directory.searching import Control
from connectors.contract import ResumeToken
from connectors.errors import AuthenticationFailed, Rejected, Stale

DIRSYNC = "1.2.840.113556.1.4.841"
EXTENDED_NAMES: Control = ("1.2.840.113556.1.4.529", True, bytes.fromhex("3003020100"))
"""A DN among values begins with "<GUID=" and the object's 32 hexadecimal digits."""

_VERSION = "1"
_INCREMENTAL_VALUES = -0x8000_0000  # links that came or went, in place of all there are
_MOST_BYTES = 10_000_000
_NOTHING = "(objectGUID=\\00)"


class Changes:
    """The changes of one scope."""

    def __init__(self, session: Session, scope: str) -> None:
        """`scope`: what is read, as text; a token of another scope is no good."""
        self._session = session
        self._scope = hashlib.blake2b(scope.casefold().encode(), digest_size=8).hexdigest()

    def token(self) -> ResumeToken | None:
        """Where changes go on from now; None without the right Replicating Directory Changes."""
        try:
            _, cookie = self._sync(b"", _NOTHING, ["objectGUID"])
        except (AuthenticationFailed, Rejected):
            return None
        return self._token(cookie)

    def since(self, token: ResumeToken, filter_: str, attributes: Sequence[str]) -> tuple[list[Entry], ResumeToken]:
        """Objects that changed, with those of these attributes that did, and the next token; in order, some repeatedly.

        Their DNs and those among their values are extended ones.

        Raises:
            Stale: The token is of another scope, domain controller or database, or of none.
            ConnectorError: As `Session.connection`.
        """
        _ = self._session.connection  # made anew first where it dropped: perhaps to another domain controller
        version, invocation, scope, encoded = (*token.value.split(" "), "", "", "", "")[:4]
        if version != _VERSION or scope != self._scope or not encoded:  # without a cookie, all there is has changed
            raise Stale("the token is not from a read with these settings")
        if invocation != self._session.domain.invocation_id:
            raise Stale("the token is from another domain controller, or from before this one was restored")
        try:
            entries, cookie = self._sync(base64.b64decode(encoded, validate=True), filter_, attributes)
        except AuthenticationFailed as error:
            raise Stale("the right to be told of changes (Replicating Directory Changes) is missing") from error
        except (Rejected, ValueError) as error:  # of base64
            raise Stale("the domain controller does not take the token") from error
        return entries, self._token(cookie)

    def _token(self, cookie: bytes) -> ResumeToken:
        encoded = base64.b64encode(cookie).decode()
        return ResumeToken(f"{_VERSION} {self._session.domain.invocation_id} {self._scope} {encoded}")

    def _sync(self, cookie: bytes, filter_: str, attributes: Sequence[str]) -> tuple[list[Entry], bytes]:
        """Everything since a cookie, and the next one.

        Asks as one who may replicate: for others a domain leaves out deletions that they may not see, in silence.
        """
        entries: list[Entry] = []
        more = True
        while more:
            controls = [_control(cookie), EXTENDED_NAMES]
            found, answered = self._session.controlled(self._session.domain.base_dn, filter_, attributes, controls)
            entries += found
            cookie, more = answered[DIRSYNC]["cookie"], answered[DIRSYNC]["more_results"]
        return entries, cookie


def _control(cookie: bytes) -> Any:
    value = DirSyncControlRequestValue()
    value["Flags"], value["MaxBytes"], value["Cookie"] = _INCREMENTAL_VALUES, _MOST_BYTES, cookie
    return build_control(DIRSYNC, True, value)
