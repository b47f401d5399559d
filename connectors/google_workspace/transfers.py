"""Handing a leaver's files and calendar over to somebody else, before the account is deleted with all that is in it.

Google does it in the background, in minutes or hours: whoever asks again finds out whether it is done.
https://developers.google.com/workspace/admin/data-transfer/reference/rest/v1/transfers
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors.contract import Kind
from connectors.errors import ConnectorError, Rejected, Transient
from connectors.google_workspace import refusals
from connectors.google_workspace.chains import Chain

if TYPE_CHECKING:  # as in `connection`
    from connectors.google_workspace.apis import Apis
    from connectors.google_workspace.batching import Reply

APPLICATIONS: Mapping[str, Mapping[str, Sequence[str]]] = {
    "Drive and Docs": {"PRIVACY_LEVEL": ("PRIVATE", "SHARED")},
    "Calendar": {"RELEASE_RESOURCES": ("TRUE",)},
}
"""What is handed over, by Google's names, and how: files whoever they were shared with, and booked rooms are freed."""
AGAIN_SECONDS = 600.0
"""Until asking again: with a queue that tries for a day and a half, a transfer has that long."""
COUNTS_FOR = timedelta(days=3)
"""An older transfer is of another time that somebody left: since then there may be new files."""
_FIELDS = "id,requestTime,overallTransferStatusCode,newOwnerUserId"


def hand_over(
    apis: Apis, user: str, receiver: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)
) -> Chain[ConnectorError | None]:
    """Has a user's data handed over, once; `receiver` is an id or an address.

    Returns:
        None where all is handed over, or there is no such user any more; Transient while it takes its time; else why it
        cannot be done. Nothing may be deleted but after None.
    """
    try:
        yield from _handed_over(apis, user, receiver, now)
    except ConnectorError as error:
        return error
    return None


def _handed_over(apis: Apis, user: str, receiver: str, now: Callable[[], datetime]) -> Chain[None]:
    its, taker, applications = yield [
        apis.users.get(userKey=user, fields="id"),
        apis.users.get(userKey=receiver, fields="id"),
        apis.applications.list(maxResults=500, fields="applications(id,name)"),
    ]
    if its.is_missing:
        return
    if taker.is_missing:
        raise Rejected("nobody is there to hand the data over to: see `transfer_to` in the target's settings")
    old, new = str(_good(its, user)["id"]), str(_good(taker, user)["id"])
    parts = _parts(_good(applications, user))
    if old == new:
        raise Rejected("this account is the one that data is handed over to")
    calls = [apis.transfers.list(oldOwnerUserId=old, newOwnerUserId=new, fields=f"dataTransfers({_FIELDS})")]
    (listed,) = yield calls
    transfer = _decisive(_good(listed, user).get("dataTransfers") or (), now() - COUNTS_FOR)
    if transfer is None:
        body = {"oldOwnerUserId": old, "newOwnerUserId": new, "applicationDataTransfers": parts}
        (begun,) = yield [apis.transfers.insert(body=body, fields=_FIELDS)]
        transfer = _good(begun, user)
    if (error := _verdict(transfer)) is not None:
        raise error


def _good(reply: Reply, user: str) -> Mapping[str, Any]:
    if reply.is_missing:  # and not the user, who was found: nothing may be taken for deleted by this
        raise Transient("Google does not find what data is handed over by")
    if not reply.ok:
        raise refusals.refusal(reply, Kind.ACCOUNT, user)
    found: Mapping[str, Any] = reply.body
    return found


def _decisive(told: Sequence[Mapping[str, Any]], since: datetime) -> Mapping[str, Any] | None:
    """The latest of those that go on, or else of all: a call whose answer got lost may have begun a second one."""
    recent = [one for one in told if _moment(one) >= since]
    going_on = [one for one in recent if isinstance(_verdict(one), Transient)]
    return max(going_on or recent, key=_moment, default=None)


def _moment(told: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(str(told["requestTime"]))


def _verdict(told: Mapping[str, Any]) -> ConnectorError | None:
    status = str(told.get("overallTransferStatusCode"))
    if status == "completed":
        return None
    if status == "failed":
        return Rejected(f"handing the data over failed: transfer {told.get('id')} in Google's admin console says why")
    return Transient("the account's data is being handed over", AGAIN_SECONDS)


def _parts(applications: Mapping[str, Any]) -> list[dict[str, Any]]:
    parts = [
        {
            "applicationId": str(one["id"]),
            "applicationTransferParams": [
                {"key": key, "value": list(values)} for key, values in APPLICATIONS[one["name"]].items()
            ],
        }
        for one in applications.get("applications") or ()
        if one.get("name") in APPLICATIONS
    ]
    if len(parts) < len(APPLICATIONS):
        raise Rejected(f"Google does not hand over all of {', '.join(APPLICATIONS)} here")
    return parts
