"""What tests and rehearsals may ask of the service beside Google's APIs: under `/_control/`, on the loopback only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.services.common.wire import Wire

from . import seeding, units
from .config import Config
from .errors import Refused
from .identity import Identity
from .service import Answer, Service
from .store import DELETED, UNIT


class ControlApi:
    """One method per path."""

    def __init__(self, service: Service, wire: Wire, identity: Identity) -> None:
        self.service = service
        self.wire = wire
        self.identity = identity
        self._paths: Mapping[str, Callable[[dict[str, Any]], Any]] = {
            "change": self._change, "seed": self._seed, "put": self._put, "link": self._link, "unit": self._unit,
            "delete": self._delete, "counters": lambda _: dict(self.wire.counters),
            "wire": lambda _: self.wire.readable(), "reset": self._reset, "clock": self._clock,
            "contents": self._contents, "empty": self._empty, "token": self._token,
        }  # fmt: skip

    def answer(self, path: str, body: object) -> Answer:
        """What a request is answered with."""
        name = path.removeprefix("/_control/")
        if name not in self._paths:
            return Answer(404, {"error": f"no {name}; there is {', '.join(sorted(self._paths))}"})
        try:
            return Answer(200, self._paths[name](body if isinstance(body, dict) else {}))
        except (KeyError, TypeError, ValueError, Refused) as error:
            return Answer(400, {"error": f"{type(error).__name__}: {error}"})

    def _change(self, body: dict[str, Any]) -> str:
        self.service.config.change(body)
        return "changed"

    def _empty(self, body: dict[str, Any]) -> str:
        self.service.begin_anew(Config.of(body))
        self.wire.reset()
        return "empty"

    def _seed(self, body: dict[str, Any]) -> dict[str, list[str]]:
        users, groups = seeding.fill(self.service, seeding.Seed(**body))
        return {"users": users, "groups": groups}

    def _put(self, body: dict[str, Any]) -> str:
        return seeding.put(self.service, body["kind"], body["data"], body.get("id"))

    def _link(self, body: dict[str, Any]) -> str:
        seeding.link(self.service, body["group"], body["ids"], body["role"])
        return "linked"

    def _unit(self, body: dict[str, Any]) -> str:
        return seeding.unit(self.service, body["path"])

    def _delete(self, body: dict[str, Any]) -> str:
        self.service.store.leave_all(body["id"])
        self.service.store.drop(body["kind"], body["id"])
        return "gone"

    def _reset(self, _body: dict[str, Any]) -> str:
        self.wire.reset()
        return "reset"

    def _clock(self, body: dict[str, Any]) -> float:
        self.service.clock_offset_seconds += body["forward_seconds"]
        self.service.expire()
        return self.service.now()

    def _token(self, body: dict[str, Any]) -> str:
        config = self.service.config
        return self.identity.token(body.get("subject") or config.admin, body.get("scopes") or config.scopes)

    def _contents(self, _body: dict[str, Any]) -> dict[str, Any]:
        """Everything there is, as it is stored: for tests to compare with what they meant."""
        store = self.service.store
        users = {
            key: {**row, "orgUnitPath": units.path(self.service, row[UNIT]), "deleted": DELETED in row}
            for key, row in store.rows["user"].items()
        }
        groups = {
            key: {**row, "members": {one: store.rows["member"][f"{key}/{one}"]["role"] for one in store.members[key]}}
            for key, row in store.rows["group"].items()
        }
        paths = sorted(units.path(self.service, key) for key in store.rows["unit"])
        licences = {key: row["sku"] for key, row in store.rows["licence"].items()}
        return {"users": users, "groups": groups, "units": paths, "licences": licences,
                "transfers": store.rows["transfer"]}  # fmt: skip
