"""What may be written on a user: names, passwords, and when."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .errors import Refused, invalid, precondition
from .service import Service
from .store import CREATED, RENAMED, Row

HASHES = {
    "MD5": re.compile(r"[0-9a-fA-F]{32}"),
    "SHA-1": re.compile(r"[0-9a-fA-F]{40}"),
    "crypt": re.compile(r"[./0-9A-Za-z]{13}|\$(1|5|6)\$(rounds=\d{1,5}\$)?[^$:\n]{0,16}\$[./0-9A-Za-z]{22,86}"),
}
"""Hash functions and what their values look like, as the discovery document describes `hashFunction`."""
MOST_ROUNDS = 10_000


def refuse_unready(service: Service, row: Row) -> None:
    """Refuses to change a user that Google is still busy with.

    Raises:
        Refused: 412 after its creation, 409 after its primary address was changed.
    """
    if service.now() < row[CREATED] + service.config.creation_seconds:
        raise precondition("User creation is not complete.")
    if service.now() < row.get(RENAMED, 0.0) + service.config.rename_seconds:
        raise Refused(409, "conflict", "The user is being renamed.")


def check_name(service: Service, name: Mapping[str, Any]) -> None:
    """Both names, neither too long.

    Raises:
        Refused: 400.
    """
    for part in ("givenName", "familyName"):
        value = name.get(part) or ""
        if not value.strip() or len(value) > service.config.name_length or re.search(r"[<>=]", value):
            raise invalid(f"Invalid Given/Family Name: {part[0].upper()}{part[1:]}")


def check_password(password: object, function: str | None) -> None:
    """8 to 100 characters, or a hash in the form of its function.

    Raises:
        Refused: 400.
    """
    text = password if isinstance(password, str) else ""
    if function is None:
        good = 8 <= len(text) <= 100 and text.isascii()
    elif function in HASHES:
        rounds = re.search(r"rounds=(\d+)", text)
        good = bool(HASHES[function].fullmatch(text)) and (rounds is None or int(rounds[1]) <= MOST_ROUNDS)
    else:
        raise invalid("Invalid Input: hashFunction")
    if not good:
        raise invalid("Invalid Password")
