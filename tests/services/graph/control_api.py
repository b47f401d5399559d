"""What tests and rehearsals may ask of the service beside Graph: under `/_control/`, on the loopback only."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.services.common.wire import Wire

from . import connect, licences, seeding
from .config import Config
from .errors import Refused
from .identity import Identity
from .service import Answer, Service
from .store import Item


class ControlApi:
    """One method per path."""

    def __init__(self, service: Service, wire: Wire, identity: Identity) -> None:
        self.service = service
        self.wire = wire
        self.identity = identity
        self._paths: Mapping[str, Callable[[dict[str, Any]], Any]] = {
            "change": self._change, "seed": self._seed, "put": self._put, "link": self._link, "delete": self._delete,
            "counters": lambda _: dict(self.wire.counters), "wire": lambda _: self.wire.readable(),
            "reset": self._reset, "clock": self._clock, "delta": self._delta, "contents": self._contents,
            "federated": lambda _: identity.federated_token(), "empty": self._empty, "synchronise": self._synchronise,
        }  # fmt: skip

    def answer(self, method: str, path: str, body: object) -> Answer:
        """What a request is answered with; `method` does not matter."""
        del method
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
        item = seeding.put(self.service, body["kind"], body["data"], body.get("id"))
        if item.kind == "group":
            licences.look_again(self.service, self.service.directory.members(item.id))
        return item.id

    def _link(self, body: dict[str, Any]) -> str:
        for key in body["ids"]:
            self.service.directory.link(body["relation"], body["group"], key)
        licences.look_again(self.service, body["ids"])
        return "linked"

    def _synchronise(self, body: dict[str, Any]) -> str:
        connect.send(self.service, body["data"], body["after_seconds"], gone=body["gone"])
        return "on its way"

    def _delete(self, body: dict[str, Any]) -> str:
        self.service.directory.purge(body["id"])
        return "purged"

    def _reset(self, _body: dict[str, Any]) -> str:
        self.wire.reset()
        return "reset"

    def _clock(self, body: dict[str, Any]) -> float:
        self.service.clock_offset_seconds += body["forward_seconds"]
        self.service.expire()
        return self.service.now()

    def _delta(self, body: dict[str, Any]) -> str:
        if body["how"] not in {"expired", "reset"}:
            raise ValueError(body["how"])
        self.service.delta_refusal = (body["how"], self.service.directory.version)
        return "tokens up to now are refused"

    def _contents(self, _body: dict[str, Any]) -> dict[str, Any]:
        """Everything there is, as it is stored: for tests to compare with what they meant."""
        connect.work_in_background(self.service)
        directory = self.service.directory

        def plain(item: Item) -> dict[str, Any]:
            return {"id": item.id, "deleted": item.deleted is not None, **item.data}

        return {
            "users": {one.id: plain(one) for one in directory.items.values() if one.kind == "user"},
            "groups": {
                one.id: {
                    **plain(one),
                    "members": directory.members(one.id),
                    "owners": directory.members(one.id, "owners"),
                }
                for one in directory.items.values()
                if one.kind == "group"
            },
            "purged": list(directory.purged),
        }
