"""What a refusal of Graph means. No I/O.

Decided by status and `error.code`; by a sentence only where it was seen in a tenant and there is nothing else.
"""

from __future__ import annotations

import re
from http import HTTPStatus

from connectors.contract import Kind
from connectors.entra.batching import Response
from connectors.errors import (
    AlreadyExists,
    AuthenticationFailed,
    ConnectorError,
    NotFound,
    Rejected,
    Throttled,
    Transient,
    Unavailable,
)

_NAMES = {
    "proxyAddresses": "mail",
    "passwordProfile": "password",
    "passwordProfile.password": "password",
    "password": "password",
}
"""Properties that Graph blames, by the attribute or field of an operation that brought them."""
_SIGN_IN = {
    "AADSTS7000215": "the secret is wrong: is it the secret's value, and not its id?",
    "AADSTS7000222": "the secret has expired: make another one for the application",
    "AADSTS700027": "the certificate is not the application's, or has expired: upload it there",
    "AADSTS700016": "the tenant has no such application: is client_id right, and tenant?",
    "AADSTS700024": "the clock of this machine is wrong, or the cluster's token is out of date",
    "AADSTS90002": "there is no such tenant",
}
"""https://learn.microsoft.com/entra/identity-platform/reference-error-codes"""
PROTECTED = "who has an administrative role, and a group that gives one, is changed by administrators only"
FORBIDDEN = "Entra refuses it to this application (403): 'eadm-sync check' tells whether a permission is missing"
SYNCHRONISED = "comes from Active Directory by synchronisation: change it there"


def sign_in_refused(told: str) -> str:
    """Why somebody is not let in, from what Entra told: with what to do about it, where that is known."""
    hints = [f"{hint} ({code})" for code, hint in _SIGN_IN.items() if re.search(rf"{code}\b", told)]
    return hints[0] if hints else told


def is_synchronised(response: Response) -> bool:
    """Whether Active Directory is the master of what was to be changed."""
    return "on-premises mastered" in _message(response)


def is_forbidden(response: Response) -> bool:
    """Whether it is refused to us: for want of a permission, or since it is about an administrator."""
    return response.status == HTTPStatus.FORBIDDEN


def is_conflict(response: Response) -> bool:
    """Whether a unique value is taken."""
    return response.status == HTTPStatus.CONFLICT or "ObjectConflict" in _details(response)


def is_member_already(response: Response) -> bool:
    """Whether a reference that was to be added is there."""
    return response.status == HTTPStatus.BAD_REQUEST and "references already exist" in _message(response)


def is_reference_missing(response: Response) -> bool:
    """Whether the group, or what was to be added or removed, is not there (yet)."""
    return response.status == HTTPStatus.NOT_FOUND or (
        response.status == HTTPStatus.BAD_REQUEST
        and ("referenced objects do not exist" in _message(response) or is_member_missing(response))
    )


def is_member_missing(response: Response) -> bool:
    """Whether a reference that was to be removed is not there."""
    return "removed object references do not exist" in _message(response)


def is_licence_missing(response: Response) -> bool:
    """Whether a licence that was to be taken away is not held."""
    return "does not have a corresponding license" in _message(response)


def is_licence_inherited(response: Response) -> bool:
    """Whether a licence that was to be taken away comes with a group."""
    return "inherited from a group" in _message(response)


def in_vain(response: Response, kind: Kind, anchor: str | None) -> ConnectorError | None:
    """Why a look told nothing, where that is no matter of what was looked at: time cures it, or who signs in anew."""
    if response.is_passing or response.status == HTTPStatus.UNAUTHORIZED:
        return refusal(response, kind, anchor)
    return None


def refusal(response: Response, kind: Kind, anchor: str | None, *, settling: bool = False) -> ConnectorError:
    """Why a request failed; `settling`: the object was made a moment ago, and may not be found for that."""
    told, wait = _told(response), response.retry_after_seconds
    match response.status:
        case HTTPStatus.TOO_MANY_REQUESTS:
            return Throttled(told, wait)
        case HTTPStatus.NOT_FOUND if settling:
            return Transient(f"the {kind} was made a moment ago, and Graph does not find it yet", wait)
        case HTTPStatus.NOT_FOUND:
            return NotFound(kind, anchor or "")
        case HTTPStatus.UNAUTHORIZED:
            return AuthenticationFailed(told)
    if response.is_passing:
        return Transient(told, wait)
    return _rejection(response, kind)


def _rejection(response: Response, kind: Kind) -> Rejected:
    attribute = _attribute(response)
    if is_forbidden(response):
        return Rejected(FORBIDDEN)
    if is_synchronised(response):
        return Rejected(f"the {kind} {SYNCHRONISED}")
    if is_conflict(response):
        return AlreadyExists(f"another object has this value of '{attribute}'", attribute)
    if attribute == "password":  # Graph's words about it could hold it
        return Rejected("Entra's rules refuse the password", attribute)
    return Rejected(_told(response), attribute)


def as_a_whole(error: ConnectorError) -> ConnectorError:
    """What the refusal of one look means for all that waited for it."""
    if isinstance(error, Transient):
        return Unavailable(error.reason, error.retry_after_seconds)
    if isinstance(error, Rejected | NotFound):
        return AuthenticationFailed(f"Graph does not let this application look: {error}")
    return error


def _told(response: Response) -> str:
    return f"{response.status} {response.error.get('code', '')}: {_message(response)}"


def _message(response: Response) -> str:
    return str(response.error.get("message", ""))


def _details(response: Response) -> set[str]:
    return {str(one.get("code")) for one in response.error.get("details") or () if isinstance(one, dict)}


def _attribute(response: Response) -> str | None:
    for one in response.error.get("details") or ():
        if isinstance(one, dict) and one.get("target"):
            target = str(one["target"])
            return _NAMES.get(target, target)
    return None
