"""Who we are to a tenant: by certificate, secret, managed identity or workload identity. Imports azure-identity."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azure.identity.aio import (
    CertificateCredential,
    ClientSecretCredential,
    ManagedIdentityCredential,
    WorkloadIdentityCredential,
)

from connectors.entra.options import EntraOptions

if TYPE_CHECKING:
    from azure.core.credentials_async import AsyncTokenCredential
    from pydantic import SecretStr

MICROSOFT = (
    "https://login.microsoftonline.com",
    "https://login.microsoftonline.us",
    "https://login.partner.microsoftonline.cn",
)
"""Authorities that azure-identity may ask about one another; of any other it would be told that it does not exist.

https://learn.microsoft.com/entra/identity-platform/authentication-national-cloud
"""

# What it warns of, it raises too, and is told of in our words; its own hold the whole answer.
logging.getLogger("azure.identity").setLevel(logging.ERROR)


def credential_of(options: EntraOptions, folder: Path) -> AsyncTokenCredential:
    """What the settings say; relative files are relative to `folder`. Asks nobody yet.

    Raises:
        OSError: The certificate cannot be read.
        ValueError: It is none, or its password is wrong.
    """
    where: dict[str, Any] = {"authority": options.authority, "retry_total": 0}  # to try again is ours, and the queue's
    if options.authority not in MICROSOFT:
        where["disable_instance_discovery"] = True
    if options.ca_file is not None:
        where["connection_verify"] = str(folder / options.ca_file)
    client_id = str(options.client_id)
    match options.authentication:
        case "secret":
            return ClientSecretCredential(options.tenant, client_id, _told(options.client_secret) or "", **where)
        case "certificate":
            data = (folder / str(options.certificate_file)).read_bytes()
            password = _told(options.certificate_password)
            return CertificateCredential(options.tenant, client_id, certificate_data=data, password=password, **where)
        case "workload_identity":
            if options.token_file is not None:
                where["token_file_path"] = str(folder / options.token_file)
            return WorkloadIdentityCredential(tenant_id=options.tenant, client_id=client_id, **where)
        case "managed_identity":
            return ManagedIdentityCredential(client_id=options.client_id)


def _told(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
