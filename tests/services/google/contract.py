"""What a request may be: the discovery documents that ship with google-api-python-client.

Google's servers overlook some of what is refused here (types above all); a stand-in that let a misspelt property
through would hide the mistake. What a document calls output only is dropped, as Google drops it, and counted.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import unquote

from .errors import Refused, invalid, invalid_parameter, not_played, required

DOCUMENTS = {
    "admin/directory_v1": "admin.directory_v1.json",
    "admin/datatransfer_v1": "admin.datatransfer_v1.json",
    "licensing/v1": "licensing.v1.json",
    "groupssettings/v1": "groupssettings.v1.json",
}
"""API, as batch endpoints name it, to its document."""

USER_LISTS = {
    "addresses": "UserAddress", "emails": "UserEmail", "externalIds": "UserExternalId", "ims": "UserIm",
    "keywords": "UserKeyword", "languages": "UserLanguage", "locations": "UserLocation",
    "organizations": "UserOrganization", "phones": "UserPhone", "posixAccounts": "UserPosixAccount",
    "relations": "UserRelation", "sshPublicKeys": "UserSshPublicKey", "websites": "UserWebsite",
}  # fmt: skip
"""Properties of a user that the document gives no type to, and the schema that it has for one of their items."""
IGNORED = {"kind", "etag", "etags", "selfLink"}
"""Properties that may be sent back as they came, in every resource."""


@dataclass(frozen=True)
class Method:
    """One method of one API.

    Attributes:
        id: As "directory.users.insert".
        api: A key of `DOCUMENTS`.
        pattern: What its paths look like.
        parameters: By name, as the document has them; those common to all methods too.
        request: Name of the body's schema, or None.
        response: Name of the answer's schema, or None.
        scopes: Of which any one suffices.
        schemas: All of its API.
    """

    id: str
    api: str
    pattern: re.Pattern[str]
    parameters: Mapping[str, Any]
    request: str | None
    response: str | None
    scopes: tuple[str, ...]
    schemas: Mapping[str, Any]


@cache
def methods() -> Mapping[str, tuple[Method, ...]]:
    """Every method of every document by HTTP method, those with the most literal paths first."""
    folder = files("googleapiclient") / "discovery_cache" / "documents"
    found: dict[str, list[tuple[int, Method]]] = {}
    for api, name in DOCUMENTS.items():
        document = json.loads((folder / name).read_bytes())
        _give_types(document["schemas"])
        for verb, path, method in _methods(document, document, api):
            found.setdefault(verb, []).append((path.count("{") - path.count("/") * 10, method))
    return {verb: tuple(one for _, one in sorted(pairs, key=lambda pair: pair[0])) for verb, pairs in found.items()}


def _give_types(schemas: dict[str, Any]) -> None:
    if "User" in schemas:
        for name, item in USER_LISTS.items():
            schemas["User"]["properties"][name] = {"type": "array", "items": {"$ref": item}}
        schemas["User"]["properties"] |= {"gender": {"$ref": "UserGender"}, "notes": {"$ref": "UserAbout"}}


def _methods(node: Mapping[str, Any], document: Mapping[str, Any], api: str) -> list[tuple[str, str, Method]]:
    found = []
    for one in node.get("methods", {}).values():
        path = document["servicePath"] + one["path"]
        shape = re.sub(r"\\\{\\\+(\w+)\\\}", lambda match: _several(match[1], one), re.escape(path))  # noqa: B023 - at once
        shape = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", shape)
        method = Method(
            one["id"],
            api,
            re.compile("/" + shape),
            {**document["parameters"], **one.get("parameters", {})},
            one.get("request", {}).get("$ref"),
            one.get("response", {}).get("$ref"),
            tuple(one.get("scopes", ())),
            document["schemas"],
        )
        found.append((one["httpMethod"], path, method))
    for inner in node.get("resources", {}).values():
        found += _methods(inner, document, api)
    return found


def _several(name: str, method: Mapping[str, Any]) -> str:
    """A parameter of a path that may have slashes in it; most say what it looks like."""
    pattern = method["parameters"][name].get("pattern", "^.*$").strip("^$")
    return f"(?P<{name}>{pattern if pattern != '.*' else '.+'})"


def resolve(verb: str, path: str) -> tuple[Method, dict[str, str]]:
    """The method that a request means, and what stands in its path.

    Raises:
        Refused: 404, no method of any of the documents.
    """
    for method in methods().get(verb, ()):
        match = method.pattern.fullmatch(path)
        if match:
            return method, {name: unquote(value) for name, value in match.groupdict().items()}
    raise Refused(404, "notFound", f"The requested URL {path} was not found on this server.")


def check_query(method: Method, query: Mapping[str, str]) -> None:
    """Names, types and ranges of query parameters.

    Raises:
        Refused: 400, or 501 for an answer in another form than JSON.
    """
    for name, value in query.items():
        known = method.parameters.get(name)
        if known is None or known["location"] != "query":
            raise invalid_parameter(name, f'Unknown name "{name}": Cannot bind query parameter.')
        _check_parameter(name, value, known)
    for name, known in method.parameters.items():
        if known.get("required") and known["location"] == "query" and name not in query:
            raise Refused(400, "required", f"Required parameter: {name}", location=("parameter", name))
    if query.get("alt", "json" if method.api != "groupssettings/v1" else "atom") != "json":
        raise not_played("answers in another form than JSON: ask with alt=json")


def _check_parameter(name: str, value: str, known: Mapping[str, Any]) -> None:
    if known["type"] == "integer":
        low, high = int(known.get("minimum", 0)), int(known.get("maximum", 2**31))
        if not re.fullmatch(r"-?\d+", value) or not low <= int(value) <= high:
            raise invalid_parameter(name, f"Invalid value '{value}'. Values must be within the range: [{low}, {high}]")
    elif (known["type"] == "boolean" and value not in {"true", "false"}) or (
        "enum" in known and name != "alt" and value not in known["enum"]
    ):
        raise invalid_parameter(name, f"Invalid value '{value}' for {name}.")


def check_body(method: Method, body: object) -> tuple[dict[str, Any], list[str]]:
    """The body without what is output only, and the names of what was dropped.

    Raises:
        Refused: 400: no object, a property that is none, a value of the wrong type.
    """
    if method.request is None:
        if body not in (None, {}):
            raise invalid("This method takes no body.")
        return {}, []
    if body is None:
        raise required("body")
    if not isinstance(body, dict):
        raise Refused(400, "parseError", "Parse Error")
    schema = method.schemas[method.request]
    _check_object("", body, schema, method.schemas)
    dropped = [name for name in body if name in IGNORED or schema["properties"][name].get("readOnly")]
    return {name: value for name, value in body.items() if name not in dropped}, [
        name for name in dropped if name not in IGNORED
    ]


def _check_object(place: str, value: Mapping[str, Any], schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    known = schema.get("properties")
    for name, one in value.items():
        inner = f"{place}.{name}".lstrip(".")
        if known is not None and name not in known:
            raise invalid(f'Invalid JSON payload received. Unknown name "{name}" at "{inner}": Cannot find field.')
        _check(inner, one, known[name] if known is not None else schema.get("additionalProperties", {}), schemas)


def _check(place: str, value: object, schema: Mapping[str, Any], schemas: Mapping[str, Any]) -> None:
    if "$ref" in schema:
        schema = schemas[schema["$ref"]]
    kind = schema.get("type", "any")
    if value is None or kind == "any":
        return
    if not _is(kind, schema.get("format"), value):
        raise invalid(f"Invalid value at '{place}' ({kind}): {type(value).__name__}.")
    if isinstance(value, dict):
        _check_object(place, value, schema, schemas)
    elif isinstance(value, list):
        for at, one in enumerate(value):
            _check(f"{place}[{at}]", one, schema.get("items", {}), schemas)


def _is(kind: str, form: str | None, value: object) -> bool:
    if kind == "string":
        number = form in {"int64", "uint64"} and isinstance(value, int) and not isinstance(value, bool)
        return isinstance(value, str) or number
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    types: Mapping[str, tuple[type, ...]] = {
        "boolean": (bool,), "object": (dict,), "array": (list,), "number": (int, float)
    }  # fmt: skip
    return isinstance(value, types[kind])
