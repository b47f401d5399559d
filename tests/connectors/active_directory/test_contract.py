"""The contract, against a real domain controller."""

from __future__ import annotations

from pathlib import Path
from uuid import uuid4

import ldap3
import pytest

from connectors.active_directory import ActiveDirectoryOptions, open_target
from connectors.contract import Password, Target
from connectors.contract_suite import OpenTarget, TargetContract
from tests.samba import BASE_DN, DomainController

HOME = f"OU=Contract {uuid4().hex},{BASE_DN}"


@pytest.fixture(scope="module")
def options(domain_controller: DomainController) -> ActiveDirectoryOptions:
    """A target that lives in a container of this file's own.

    Samba enables accounts without a password, and sets forty passwords a second: here nobody gets one.
    """
    domain_controller.new_container(HOME.partition(",")[0].removeprefix("OU="))
    return ActiveDirectoryOptions.model_validate(
        {
            "servers": [domain_controller.server],
            "ca_file": str(domain_controller.ca_file),
            "user": domain_controller.admin_dn,
            "password": domain_controller.admin_password,
            "account_containers": [HOME],
            "group_containers": [HOME],
            "random_password": False,
        }
    )


class TestActiveDirectory(TargetContract):
    """Every promise that can be kept without a recycle bin, which Samba does not have."""

    list_attribute = "proxyAddresses"
    containers = (f"OU=First,{HOME}", f"OU=Bygg\\, plan \\+ miljø,OU=Second,{HOME}")

    def has_password(self, target: Target, anchor: str, password: Password) -> bool:
        """Signs in; that it has to be changed first is told only to who knows it ("data 773")."""
        session = target._session  # type: ignore[attr-defined]
        dn = session.entry(f"<GUID={anchor}>", ["sAMAccountName"]).dn
        server = session.connection.server
        connection = ldap3.Connection(server, dn, password.value, client_strategy=ldap3.SAFE_SYNC)
        done, result, *_ = connection.bind()
        connection.unbind()
        return bool(done) or "data 773" in result["message"]

    @pytest.fixture
    def open_target(self, options: ActiveDirectoryOptions) -> OpenTarget:
        """The domain."""
        return lambda: open_target(options, Path())
