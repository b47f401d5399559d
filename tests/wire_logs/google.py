"""Google Workspace: https://developers.google.com/workspace/admin/directory/v1/guides/batch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.acceptance.google.conftest import DOMAINS, PRODUCTS, PUPILS, STAFF, Customer
from tests.acceptance.google.test_whole_town import schools
from tests.services.google.config import Config
from tests.services.google.control import GoogleService
from tests.wire_logs.recording import PEOPLE, Exchange, Played

INTRO = """
For whoever has to know what `eadm-sync` does at a customer of Google Workspace: every request, in the order in which
they were sent, for one employee of a school from the first day on, with the example's rules and a licence. It was
recorded from a real run; a test records it again and compares. What stands in braces is the id of what it names.
Passwords are shown as `***`, times, tokens and headers are left out, and of answers only the status and what it
brought.

The service account has signed in before at `oauth2.googleapis.com`, in the name of an administrator, and sends the
token along with each request, over TLS. `/admin/…` is at `admin.googleapis.com`, `/apps/licensing/…` at
`licensing.googleapis.com`, `/groups/…` at `www.googleapis.com`; each has batches of its own. Whatever is sent for many
people at once is put together in the same way, up to fifty calls in a batch.

`isAdmin=true` and `isDelegatedAdmin=true` ask who is an administrator: their accounts are never changed. An account
that is about to be disabled or deleted is looked at once more before. Organisational units are listed before one is
made. Licences go by address, so the address of an account is asked for just before.
"""


@contextmanager
def played(folder: Path) -> Iterator[Played]:
    """A customer of its own, with an installation in that folder."""
    with GoogleService(Config(domains=DOMAINS, products=PRODUCTS, seed=1)) as google:
        customer = Customer(google, folder, PEOPLE, in_flight=1)
        yield Played(
            page="google.md",
            title="Google Workspace",
            intro=INTRO,
            town=customer.town,
            service=google,
            address={},
            names=lambda: _names(google),
            parts=_parts,
            units=schools,
        )


def _names(google: GoogleService) -> dict[str, str]:
    contents = google.contents()
    users = {key: f"account of {one['name']['givenName']}" for key, one in contents["users"].items()}
    groups = {key: f"group {one['name']}" for key, one in contents["groups"].items()}
    return {**users, **groups, STAFF: "SKU of staff", PUPILS: "SKU of pupils"}


def _parts(entry: Mapping[str, Any]) -> Sequence[Exchange]:
    """In the order in which they stood in the batch; the service carries them out in any."""
    return [
        Exchange(one["method"], one["url"], one["request"], one["status"], one["response"])
        for one in sorted(entry.get("parts", ()), key=lambda one: int(one["id"].strip("<>")))
    ]
