"""What every part of the service works with: the directory, the settings, time, chance; and a request on its way."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

from . import query
from .config import Config
from .errors import not_found
from .store import Directory, Item, Kind
from .throttling import Throttle, quota_of

BASE = "https://graph.microsoft.com/v1.0"
"""What `@odata.context` and references are written with; links to pages carry the service's own address."""


@dataclass
class Call:
    """One operation: a request of its own, or one of a batch.

    Attributes:
        method: "GET", ...
        url: As it came, with its query.
        route: The path with "{}" in place of keys, as "groups/{}/members".
        keys: What stood in their places.
        query: Its query, unparsed.
        headers: By lower-case name.
        body: Parsed JSON, or None.
        base: Address of the service as the client wrote it, as "http://127.0.0.1:8080/v1.0".
    """

    method: str
    url: str
    route: str = ""
    keys: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    base: str = BASE

    @cached_property
    def options(self) -> query.Options:
        """Its query options.

        Raises:
            Refused: 400.
        """
        return query.parse(self.query)


@dataclass(frozen=True)
class Answer:
    """What an operation is answered with; `body` None for none."""

    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


class Service:
    """The tenant at work. One thread at a time.

    Attributes:
        config: Its settings; may change while it works.
        random: All chance comes from here.
        directory: What it holds.
        clock_offset_seconds: How far its clock is ahead, so that a rehearsal need not wait 30 days.
        delta_refusal: How delta tokens up to a version are refused ("expired" or "reset"), or None.
        seats_used: Licences' own count of seats, once it is made.
        delta_rounds: What the rounds of delta that are being read consist of.
        arrivals: What Entra Connect is to bring, as `connect.send` puts it; forgotten when the service ends.
        licences_due: Users whose groups' licences are to be looked at, with the time, once it is made.
    """

    def __init__(self, config: Config, state: Path | None = None) -> None:
        self.config = config
        self._journal = state / "journal.jsonl" if state else None
        self._begin()

    def begin_anew(self, config: Config) -> None:
        """Forgets everything, and goes on as a new tenant; who holds `self.config` holds the new settings."""
        self.directory.close()
        if self._journal is not None:
            self._journal.unlink()
        self.config.__dict__.update(config.__dict__)
        self._begin()

    def _begin(self) -> None:
        self.random = random.Random(self.config.seed)
        self.directory = Directory(self._journal, keep_deleted_names=self.config.keep_deleted_names)
        self.clock_offset_seconds = 0.0
        self.delta_refusal: tuple[str, int] | None = None
        self.delta_rounds: dict[tuple[Any, ...], list[tuple[str, str]]] = {}
        self.seats_used: Counter[str] | None = None
        self.arrivals: list[Any] = []
        self.licences_due: dict[str, float] | None = None
        self._throttles: dict[str, Throttle] = {}

    def now(self) -> float:
        """Seconds since 1970, as the service believes."""
        return time.time() + self.clock_offset_seconds

    def moment(self, seconds: float | None = None) -> str:
        """A point in time as Graph writes it; the present by default."""
        return datetime.fromtimestamp(self.now() if seconds is None else seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")

    def new_id(self) -> str:
        """An object id; the same ones in the same order for the same seed, whatever was there before."""
        while True:
            number = self.random.getrandbits(128) & ~(0xF << 76) | (4 << 76)
            text = f"{number:032x}"
            key = "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
            if key not in self.directory.items and key not in self.directory.purged:
                return key

    def throttle(self, app: str) -> Throttle | None:
        """The quota's counter of one application, or None where there is no quota."""
        quota = quota_of(self.config.quota, self.directory.counts["user"])
        if quota is None:
            return None
        throttle = self._throttles.get(app)
        if throttle is None or throttle.quota != quota:
            throttle = self._throttles[app] = Throttle(quota)
        return throttle

    def visible(self, item: Item) -> bool:
        """Whether reads and references see the object yet."""
        return item.created + self.config.visible_seconds <= self.now()

    def get(self, kind: Kind, key: str) -> Item:
        """An object that is there and can be seen.

        Raises:
            Refused: 404.
        """
        item = self.directory.find(kind, key)
        if item is None or not self.visible(item):
            raise not_found(key)
        return item

    def expire(self) -> None:
        """Purges what has been in the recycle bin for too long."""
        limit = self.now() - self.config.deleted_days * 86400
        for kind in ("user", "group"):
            for item in list(self.directory.of_kind(kind, deleted=True)):  # type: ignore[arg-type]
                if item.deleted is not None and item.deleted < limit:
                    self.directory.purge(item.id)
