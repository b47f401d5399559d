"""The service on the wire: what comes over HTTP is answered here, in one thread."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web

from tests.services.common.faults import Drop, drop
from tests.services.common.wire import Wire

from . import batching, connect, licences
from .control_api import ControlApi
from .errors import Refused, bad_request
from .faults import refuse_operation, refuse_request
from .identity import Identity
from .openapi import Checker
from .routes import refuse_unauthorised, resolve
from .service import Answer, Call, Service
from .throttling import cost_of

VERSION = "/v1.0"
DROPPED = 0
"""The status that the log shows for a connection that was cut."""


class App:
    """Answers HTTP requests for one tenant."""

    def __init__(self, service: Service, identity: Identity) -> None:
        self.service = service
        self.identity = identity
        self.wire = Wire(service.config.wire_log)
        self.control = ControlApi(service, self.wire, identity)
        self._checkers: dict[str, Checker] = {}
        self.began = time.monotonic()

    def _check(self, call: Call, url: str) -> None:
        """Holds a request against the OpenAPI description, where the settings name one."""
        file = self.service.config.openapi
        if file:
            if file not in self._checkers:
                self._checkers[file] = Checker(file)
            self._checkers[file].check(call, url)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one request."""
        raw = await request.read()
        if request.path.startswith("/_control/"):
            answer = self.control.answer(request.method, request.path, _json(raw))
            self.service.directory.commit()
            return _response(answer)
        base = f"{request.scheme}://{request.host}"
        if not request.path.startswith(VERSION):
            form = dict(parse_qsl(raw.decode())) if raw else dict(request.query)
            found = self.identity.answer(request.method, request.path, form, base)
            self.wire.counters["token_requests"] += found is not None
            return _response(found or Answer(404, {"error": "not_found", "error_description": "Nothing is here."}))
        return await self._graph(request, raw, base + VERSION)

    async def _graph(self, request: web.BaseRequest, raw: bytes, base: str) -> web.StreamResponse:
        config = self.service.config
        began = time.monotonic()
        self.wire.began()
        if config.delay_seconds:
            await asyncio.sleep(config.delay_seconds)
        cut = drop(config.faults.dropped, self.service.random)
        headers = {name.lower(): value for name, value in request.headers.items()}
        call = Call(request.method, request.path_qs, headers=headers, body=None, base=base)
        answer = Answer(DROPPED) if cut is Drop.BEFORE else self._answer(call, raw)
        self.service.directory.commit()
        entry = {
            "at_seconds": round(began - self.began, 4),
            "took_seconds": round(time.monotonic() - began, 4),
            "method": call.method,
            "url": call.url,
            "status": DROPPED if cut else answer.status,
            "request": call.body,
            "response": answer.body,
        }
        self.wire.ended(entry)
        if cut:
            self.wire.counters["dropped"] += 1
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # which nobody will get
        return _response(answer)

    def _answer(self, call: Call, raw: bytes) -> Answer:
        ids = self._ids(call.headers)
        try:
            app = self.identity.application(call.headers.get("authorization", ""))
            refuse_request(self.service.config.faults, self.service.random)
            call.body = _json(raw)
            if call.url.partition("?")[0] == f"{VERSION}/$batch":
                answer = self._batch(call, app)
            else:
                answer = self._operate(call, app, in_batch=False)
        except Refused as refused:
            answer = self._refuse(refused, call.headers)
        except Exception:  # noqa: BLE001 - a mistake of ours: shown, counted, and answered as Graph answers its own
            traceback.print_exc()
            self.wire.counters["mistakes"] += 1
            answer = self._refuse(Refused(500, "InternalServerError", "The service made a mistake."), call.headers)
        return Answer(answer.status, answer.body, {**ids, **answer.headers})

    def _batch(self, call: Call, app: str) -> Answer:
        if call.method != "POST":
            raise Refused(405, "Request_BadRequest", "Specified HTTP method is not allowed for the request target.")
        self._check(call, VERSION + "/$batch")
        requests = batching.check(call.body)
        self.wire.counters["batches"] += 1
        body = batching.run(
            requests,
            lambda one: self._operate(one, app, in_batch=True),
            lambda refused: self._refused_operation(refused, call),
            self.service.random,
            call,
        )
        return Answer(200, body)

    def _operate(self, call: Call, app: str, *, in_batch: bool) -> Answer:
        try:
            found = resolve(call)
            connect.work_in_background(self.service)
            licences.work_in_background(self.service)
            headers = self._take(found.call, app)
            if in_batch:
                refuse_operation(self.service.config.faults, self.service.random)
            self._check(found.call, VERSION + "/" + found.call.url.removeprefix(VERSION).lstrip("/"))
            refuse_unauthorised(self.service.config, found)
            answer = found.handler(self.service, found.call)
        except Refused as refused:
            return self._refused_operation(refused, call)
        self.wire.operation(answer.status)
        return Answer(answer.status, answer.body, {**headers, **answer.headers})

    def _take(self, call: Call, app: str) -> Mapping[str, str]:
        """Counts a request against the quota; gives the headers that tell of it."""
        top = call.query.get("$top", "")
        cost = cost_of(
            call.method,
            call.route,
            select="$select" in call.query,
            expand="$expand" in call.query,
            top=int(top) if top.isdigit() else None,
        )
        self.wire.counters["resource_units"] += cost
        throttle = self.service.throttle(app)
        if throttle is None:
            return {"x-ms-resource-unit": str(cost)}
        return throttle.take(time.monotonic(), cost, write=call.method != "GET")

    def _refused_operation(self, refused: Refused, call: Call) -> Answer:
        self.wire.operation(refused.status)
        self.wire.counters["throttled"] += refused.status == web.HTTPTooManyRequests.status_code
        return self._refuse(refused, call.headers)

    def _refuse(self, refused: Refused, headers: Mapping[str, str]) -> Answer:
        ids = self._ids(headers)
        moment = datetime.fromtimestamp(self.service.now(), UTC)
        body = refused.body(ids["request-id"], ids["client-request-id"], moment)
        return Answer(refused.status, body, refused.headers)

    def _ids(self, headers: Mapping[str, str]) -> dict[str, str]:
        request_id = str(uuid.UUID(int=self.service.random.getrandbits(128)))
        return {"request-id": request_id, "client-request-id": headers.get("client-request-id", request_id)}


def _json(raw: bytes) -> Any:
    if not raw:
        return None
    try:
        return json.loads(raw)
    except ValueError:
        raise bad_request("Unable to read JSON request payload. Please ensure Content-Type header is set and payload "
                          "is of valid JSON format.") from None  # fmt: skip


def _response(answer: Answer) -> web.Response:
    if answer.body is None:
        return web.Response(status=answer.status, headers=answer.headers)
    body = json.dumps(answer.body, separators=(",", ":")).encode()
    return web.Response(status=answer.status, body=body, headers=answer.headers, content_type="application/json")
