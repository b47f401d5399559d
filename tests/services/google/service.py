"""What every part of the service works with: the rows, the settings, time, chance; and a request on its way."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from .config import Config
from .contract import Method
from .errors import Refused, not_found
from .store import CREATED, DELETED, UNIT, Kind, Row, Store
from .throttling import Throttle

DAY_SECONDS = 86400.0
ROOT_UNIT = "id:03ph8a2z000root"
"""The organisational unit that every customer has."""


@dataclass
class Call:
    """One operation: a request of its own, or one of a batch.

    Attributes:
        verb: "GET", ...
        url: As it came, with its query.
        headers: By lower-case name.
        body: Parsed JSON without what is output only, or None.
        method: What it means, once that is known.
        path: What stands in its path, by name.
        query: Its query.
        subject: The address that is acted for.
    """

    verb: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    method: Method | None = None
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""


@dataclass(frozen=True)
class Answer:
    """What an operation is answered with; `body` None for none."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Service:
    """The customer at work. One thread at a time.

    Attributes:
        config: Its settings; may change while it works.
        random: All chance comes from here.
        store: What it holds.
        clock_offset_seconds: How far its clock is ahead, so that a rehearsal need not wait 20 days.
        throttle: What was used of its quotas.
    """

    def __init__(self, config: Config, state: Path | None = None) -> None:
        self.config = config
        self._journal = state / "journal.jsonl" if state else None
        self._begin()

    def begin_anew(self, config: Config) -> None:
        """Forgets everything, and goes on as a new customer; who holds `self.config` holds the new settings."""
        self.store.close()
        if self._journal is not None:
            self._journal.unlink()
        self.config.__dict__.update(config.__dict__)
        self._begin()

    def _begin(self) -> None:
        self.random = random.Random(self.config.seed)
        self.store = Store(self._journal)
        self.clock_offset_seconds = 0.0
        self.throttle = Throttle()
        if not self.store.rows["unit"]:
            self.store.put("unit", ROOT_UNIT, {"name": self.config.domains[0], "description": ""})
            row = {
                "primaryEmail": self.config.admin,
                "name": {"givenName": "Super", "familyName": "Administrator"},
                "isAdmin": True,
                UNIT: ROOT_UNIT,
                CREATED: self.now() - DAY_SECONDS,
            }
            self.store.put("user", self.new_id(), row)
            self.store.commit()

    def now(self) -> float:
        """Seconds since 1970, as the service believes."""
        return time.time() + self.clock_offset_seconds

    def moment(self, seconds: float | None = None) -> str:
        """A point in time as the Directory API writes it; the present by default."""
        at = datetime.fromtimestamp(self.now() if seconds is None else seconds, UTC)
        return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def new_id(self) -> str:
        """A user's id, 21 digits; the same ones in the same order for the same seed, whatever was there before."""
        while True:
            key = f"1{self.random.randrange(10**20):020}"
            if key not in self.store.rows["user"]:
                return key

    def new_name(self, kind: Kind, prefix: str = "0", length: int = 14) -> str:
        """An id of letters and digits, as groups and organisational units have them."""
        while True:
            key = prefix + "".join(self.random.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=length))
            if key not in self.store.rows[kind]:
                return key

    def visible(self, row: Row) -> bool:
        """Whether reads and references see a user or a group yet."""
        return bool(row[CREATED] + self.config.visible_seconds <= self.now())

    def find(self, kind: Kind, key: str) -> str | None:
        """The id of a user or a group that is not deleted and can be seen, by its id or one of its addresses."""
        held = self.store.holders.get(key.lower())
        if held is not None and held[0] == kind:
            key = held[1]
        row = self.store.get(kind, key)
        return key if row is not None and DELETED not in row and self.visible(row) else None

    def get(self, kind: Kind, key: str) -> tuple[str, Row]:
        """The id and the row of what `find` finds.

        Raises:
            Refused: 404.
        """
        found = self.find(kind, key)
        if found is None:
            raise not_found(f"{kind}Key")
        return found, self.store.rows[kind][found]

    def check_customer(self, customer: str) -> None:
        """Refuses other customers.

        Raises:
            Refused: 400.
        """
        if customer not in {"my_customer", self.config.customer_id}:
            raise Refused(400, "invalid", "Invalid Customer Id")

    def expire(self) -> None:
        """Forgets users that have been deleted for too long."""
        limit = self.now() - self.config.deleted_days * DAY_SECONDS
        for key, row in list(self.store.rows["user"].items()):
            if row.get(DELETED, limit) < limit:
                self.store.drop("user", key)


def etag_of(value: object) -> str:
    """An ETag that is the same for the same content."""
    text = json.dumps(value, sort_keys=True, default=str).encode()
    return f'"{hashlib.sha256(text).hexdigest()[:32]}"'


def resource(kind: str, **properties: Any) -> dict[str, Any]:
    """A resource as it is sent: with its kind and its ETag, without what is None."""
    kept = {name: value for name, value in properties.items() if value is not None}
    return {"kind": kind, "etag": etag_of(kept), **kept}
