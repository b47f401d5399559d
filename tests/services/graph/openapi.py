"""A second opinion: every request held against Microsoft's own OpenAPI description, where somebody has it.

The description does not belong to this project; a file is named by `--openapi`, or by EADM_GRAPH_OPENAPI in tests.
Paths that the file does not describe are passed over: a file with all of Graph is 35 MB and takes minutes to read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from .errors import bad_request
from .service import Call

HOST = "https://graph.microsoft.com"


@dataclass
class Request:
    """A request, as openapi-core asks for it."""

    method: str
    path: str
    parameters: Any
    body: bytes | None
    host_url: str = HOST
    content_type: str = "application/json"


class Checker:
    """Checks requests by a description; loading it takes about a second."""

    def __init__(self, file: str) -> None:
        # Only who wants the second opinion needs the library.
        import yaml  # noqa: PLC0415 - see above
        from openapi_core import OpenAPI  # noqa: PLC0415 - see above

        self._openapi: Any = OpenAPI.from_dict(yaml.safe_load(Path(file).read_text(encoding="utf-8")))

    def check(self, call: Call, url: str) -> None:
        """Lets a request pass that the description allows, or does not describe.

        Raises:
            Refused: 400, with what the description says.
        """
        from openapi_core.datatypes import RequestParameters  # noqa: PLC0415 - as above
        from openapi_core.exceptions import OpenAPIError  # noqa: PLC0415 - as above
        from openapi_core.templating.paths.exceptions import PathError  # noqa: PLC0415 - as above
        from werkzeug.datastructures import Headers, ImmutableMultiDict  # noqa: PLC0415 - openapi-core brings it

        split = urlsplit(url)
        path = split.path.replace("/delta", "/delta()") if split.path.endswith("/delta") else split.path
        body = None if call.body is None else json.dumps(call.body).encode()
        parameters = RequestParameters(query=ImmutableMultiDict(parse_qsl(split.query)), header=Headers(call.headers))
        try:
            self._openapi.validate_request(Request(call.method.lower(), path, parameters, body))
        except PathError:
            return
        except OpenAPIError as error:
            raise bad_request(f"OpenAPI: {error}: {error.__cause__ or ''}"[:500]) from error
