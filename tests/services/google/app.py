"""The service on the wire: what comes over HTTP is answered here, in one thread."""

from __future__ import annotations

import asyncio
import json
import time
import traceback
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from aiohttp import web

from tests.services.common.faults import Drop, drop
from tests.services.common.wire import Wire

from . import batching, masks
from .contract import check_body, check_query, resolve
from .control_api import ControlApi
from .errors import USAGE, Refused, not_played
from .faults import refuse_operation, refuse_request
from .identity import Identity
from .routes import HANDLERS
from .service import Answer, Call, Service, etag_of
from .throttling import over

DROPPED = 0
"""The status that the log shows for a connection that was cut."""


class App:
    """Answers HTTP requests for one customer."""

    def __init__(self, service: Service, identity: Identity) -> None:
        self.service = service
        self.identity = identity
        self.wire = Wire(service.config.wire_log)
        self.control = ControlApi(service, self.wire, identity)
        self.began = time.monotonic()
        self._in_flight = 0

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answers one request."""
        raw = await request.content.read()  # a batch of 1 000 calls is larger than aiohttp takes otherwise
        if request.path.startswith("/_control/"):
            answer = self.control.answer(request.path, _json(raw))
            self.service.store.commit()
            return _response(answer)
        headers = {name.lower(): value for name, value in request.headers.items()}
        is_form = "form-urlencoded" in headers.get("content-type", "")
        form = dict(parse_qsl(raw.decode())) if is_form else {}
        found = self.identity.answer(request.path, headers, form, None if is_form else _lenient(raw))
        if found is not None:
            self.wire.counters["token_requests"] += 1
            return _response(found)
        self._in_flight += 1
        try:
            return await self._api(request, raw, headers)
        finally:
            self._in_flight -= 1

    async def _api(self, request: web.BaseRequest, raw: bytes, headers: dict[str, str]) -> web.StreamResponse:
        config = self.service.config
        began = time.monotonic()
        self.wire.began()
        if config.delay_seconds:
            await asyncio.sleep(config.delay_seconds)
        cut = drop(config.faults.dropped, self.service.random)
        entry: dict[str, Any] = {"method": request.method, "url": request.path_qs, "request": None}
        answer = Answer(DROPPED) if cut is Drop.BEFORE else self._answer(entry, headers, raw)
        self.service.store.commit()
        ended = time.monotonic()
        entry |= {
            "at_seconds": round(began - self.began, 4),
            "took_seconds": round(ended - began, 4),
            "status": DROPPED if cut else answer.status,
            "response": answer.body if not isinstance(answer.body, bytes) else None,
        }
        self.wire.ended(entry)
        if cut:
            self.wire.counters["dropped"] += 1
            if request.transport is not None:
                request.transport.abort()
            return web.Response()  # which nobody will get
        return _response(answer)

    def _answer(self, entry: dict[str, Any], headers: dict[str, str], raw: bytes) -> Answer:
        config = self.service.config
        try:
            refuse_request(config.faults, self.service.random)
            self._refuse_crowd()
            api = batching.api_of(urlsplit(entry["url"]).path)
            if api is not None:
                return self._batch(entry, api, headers, raw)
            call = Call(entry["method"], entry["url"], headers)
            return self._operate(call, raw, entry)
        except Refused as refused:
            return self._refused(refused)
        except Exception:  # noqa: BLE001 - a mistake of ours: shown, counted, and answered as Google answers its own
            traceback.print_exc()
            self.wire.counters["mistakes"] += 1
            return self._refused(Refused(500, "backendError", "The service made a mistake."))

    def _refuse_crowd(self) -> None:
        most = self.service.config.concurrent_requests
        if most and self._in_flight > most:
            raise over("tooMany")

    def _batch(self, entry: dict[str, Any], api: str, headers: dict[str, str], raw: bytes) -> Answer:
        parts = batching.parts_of(headers.get("content-type", ""), raw, self.service.config.batch_limit)
        self.wire.counters["batches"] += 1
        inner: list[dict[str, Any]] = []
        first = api or resolve(parts[0].verb, urlsplit(parts[0].url).path)[0].api

        def do(part: batching.Part) -> Answer:
            one: dict[str, Any] = {"id": part.content_id, "method": part.verb, "url": part.url, "request": None}
            inherited = {"authorization": headers.get("authorization", ""), **part.headers}
            answer = self._operate(Call(part.verb, part.url, inherited), part.raw, one, batch=first)
            inner.append({**one, "status": answer.status, "response": answer.body})
            return answer

        body = batching.run(parts, do, self.service.random)
        entry["parts"] = inner
        return Answer(200, body, {"Content-Type": f"multipart/mixed; boundary={batching.BOUNDARY}"})

    def _operate(self, call: Call, raw: bytes, entry: dict[str, Any], batch: str | None = None) -> Answer:
        """One operation, with all that may be said against it."""
        try:
            claims = self.identity.claims(call.headers.get("authorization", ""))
            split = urlsplit(call.url)
            call.method, call.path = resolve(call.verb, split.path)
            call.query = dict(parse_qsl(split.query, keep_blank_values=True))
            call.subject = claims["sub"]
            if batch is not None:
                batching.refuse_other(batch, call.method.api)
                refuse_operation(self.service.config.faults, self.service.random)
            self.identity.refuse_unauthorised(call, claims)
            self.service.throttle.take(self.service.config, call.method.id, call.subject, self.service.now())
            entry["request"] = body = _json(raw)
            answer = self._carry_out(call, body)
        except Refused as refused:
            answer = self._refused(refused)
        self.wire.operation(answer.status)
        return answer

    def _carry_out(self, call: Call, body: object) -> Answer:
        method = call.method
        assert method is not None
        check_query(method, call.query)
        call.body, dropped = check_body(method, body)
        if dropped:
            self.wire.counters["output_only_properties"] += len(dropped)
        mask = masks.parse(call.query["fields"]) if "fields" in call.query else None
        if mask is not None and method.response is not None:
            masks.check(mask, {"$ref": method.response}, method.schemas)
        handler = HANDLERS.get(method.id)
        if handler is None:
            raise not_played(method.id)
        answer = handler(self.service, call)
        if not isinstance(answer.body, dict):
            return answer
        tag = answer.body.get("etag") or etag_of(answer.body)
        if call.verb == "GET" and call.headers.get("if-none-match") == tag:
            return Answer(304, None, {"ETag": tag})
        return Answer(answer.status, masks.apply(mask or {}, answer.body), {**answer.headers, "ETag": tag})

    def _refused(self, refused: Refused) -> Answer:
        if refused.domain == USAGE and refused.reason != "accessNotConfigured":
            self.wire.counters["throttled"] += 1
        return Answer(refused.status, refused.body, refused.headers)


def _json(raw: bytes) -> Any:
    if not raw.strip():
        return None
    try:
        return json.loads(raw)
    except ValueError:
        raise Refused(400, "parseError", "Parse Error") from None


def _lenient(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None


def _response(answer: Answer) -> web.Response:
    headers: Mapping[str, str] = answer.headers
    if answer.body is None:
        return web.Response(status=answer.status, headers=headers)
    if isinstance(answer.body, bytes):
        return web.Response(status=answer.status, body=answer.body, headers=headers)
    body = json.dumps(answer.body, separators=(",", ":")).encode()
    return web.Response(status=answer.status, body=body, headers=headers, content_type="application/json")
