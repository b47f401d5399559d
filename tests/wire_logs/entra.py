"""Entra ID: https://learn.microsoft.com/graph/json-batching."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.entra.conftest import DOMAINS, SEATS, Tenant
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService
from tests.services.graph.licences import sku_id
from tests.wire_logs.recording import PEOPLE, Exchange, Played

INTRO = """
For whoever has to know what `eadm-sync` does in a tenant: every request to Microsoft Graph, in the order in which they
were sent, for one employee from the first day on, with the example's rules. It was recorded from a real run; a test
records it again and compares. What stands in braces is the id of what it names. Passwords are shown as `***`, times,
tokens and headers are left out, and of answers only the status and what it brought.

The application has signed in before at `login.microsoftonline.com`, by certificate or secret, and sends the token along
with each request, over TLS. Whatever is sent for many people at once is put together in the same way, up to twenty
requests in a batch.
"""


@contextmanager
def played(folder: Path) -> Iterator[Played]:
    """A tenant of its own, with an installation in that folder."""
    with GraphService(Config(domains=DOMAINS, skus=SEATS, seed=1)) as graph:
        tenant = Tenant(graph, folder, PEOPLE, in_flight=1)
        yield Played(
            page="entra.md",
            title="Entra ID",
            intro=INTRO,
            town=tenant.town,
            service=graph,
            address={graph.url: "https://graph.microsoft.com/v1.0"},
            names=lambda: _names(graph),
            parts=_parts,
        )


def _names(graph: GraphService) -> dict[str, str]:
    contents = graph.contents()
    users = {key: f"account of {one['displayName']}" for key, one in contents["users"].items()}
    groups = {key: f"group {one['displayName']}" for key, one in contents["groups"].items()}
    return {**users, **groups, **{sku_id(name): f"product {name}" for name in SEATS}}


def _parts(entry: Mapping[str, Any]) -> Sequence[Exchange]:
    """In the order in which they stand in the batch; the answer has them in any."""
    if not entry["url"].endswith("/$batch"):
        return ()
    answers = {one["id"]: one for one in entry["response"]["responses"]}
    return [
        Exchange(
            one["method"], one["url"], one.get("body"), answers[one["id"]]["status"], answers[one["id"]].get("body")
        )
        for one in entry["request"]["requests"]
    ]
