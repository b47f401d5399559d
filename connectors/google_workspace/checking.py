"""Whether the service account may do all that it will be asked to; changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from connectors.errors import AuthenticationFailed, NotFound, Rejected
from connectors.google_workspace.connection import SCOPES, Connection, scopes_of
from connectors.google_workspace.options import GoogleOptions

if TYPE_CHECKING:  # as in `connection`
    from googleapiclient.http import HttpRequest

_TYPES = {"INT64": "int", "BOOL": "bool", "STRING": "str", "DATE": "str", "EMAIL": "str", "PHONE": "str"}
"""Types of custom fields by what we call them; all others (DOUBLE) cannot be set."""


def check(connection: Connection, options: GoogleOptions) -> None:
    """Signs in with every scope, asks every API something, and looks for the custom fields of the settings.

    Raises:
        AuthenticationFailed: Names each scope that is not granted and each API that is not enabled, and what it is for.
        Rejected: The settings name a custom field that the customer does not have, or has as something else.
        ConnectorError: As `Connection.get`.
    """
    try:
        connection.signer.authorization()
    except AuthenticationFailed as error:
        missing = connection.signer.missing()
        if not missing or len(missing) == len(scopes_of(options)):
            raise  # it is not a scope that is missing
        named = "; ".join(f"{scope} ({SCOPES[scope]})" for scope in missing)
        raise AuthenticationFailed(f"domain-wide delegation lacks scopes: {named}") from error
    _check_apis(connection, options)
    _check_custom_fields(connection, options)


def _check_apis(connection: Connection, options: GoogleOptions) -> None:
    refused: dict[str, str] = {}
    for name, request in _questions(connection, options):
        try:
            connection.get(request)
        except AuthenticationFailed as error:
            refused.setdefault(name, error.reason)
        except (NotFound, Rejected):
            continue  # it answers, and that was the question
    if refused:
        raise AuthenticationFailed("; ".join(f"{name}: {reason}" for name, reason in refused.items()))


def _questions(connection: Connection, options: GoogleOptions) -> Iterator[tuple[str, HttpRequest]]:
    """Something harmless to ask of each API that is needed."""
    apis, customer = connection.apis, options.customer
    yield "Admin SDK API", apis.users.get(userKey=options.subject, fields="id")
    yield "Admin SDK API", apis.orgunits.list(customerId=customer, type="children", fields="organizationUnits(name)")
    yield "Admin SDK API", apis.groups.list(customer=customer, maxResults=1, fields="groups(id)")
    yield "Groups Settings API", apis.settings.get(groupUniqueId=options.subject, fields="email")
    for one in list(options.licences.values())[:1]:
        call = apis.licences.listForProduct(productId=one.product, customerId=customer, maxResults=1, fields="kind")
        yield "Enterprise License Manager API", call
    if options.transfer_to is not None:
        yield "Admin SDK API (data transfer)", apis.applications.list(maxResults=1, fields="applications(id)")


def _check_custom_fields(connection: Connection, options: GoogleOptions) -> None:
    if not options.custom_fields:
        return
    try:
        told = connection.get(connection.apis.schemas.list(customerId=options.customer))
    except NotFound:
        told = {}
    known = {
        f"{schema['schemaName']}.{one['fieldName']}": "list" if one.get("multiValued") else _TYPES.get(one["fieldType"])
        for schema in told.get("schemas", ())
        for one in schema.get("fields", ())
    }
    for name, type_ in options.custom_fields.items():
        if name not in known:
            raise Rejected(f"custom_fields: the customer has no custom field '{name}'", name)
        if known[name] != type_:
            raise Rejected(f"custom_fields: '{name}' holds a {known[name] or 'number with a fraction'}", name)
