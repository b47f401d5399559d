"""The contract, over the wire, against the local Google service."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.contract import Capabilities, Password, Target, Value
from connectors.contract_suite import OpenTarget, TargetContract
from connectors.google_workspace import open_target
from tests.connectors.google_workspace.conftest import Settings
from tests.services.google.config import Config
from tests.services.google.control import GoogleService

SEATS = 3
LICENCE = {"product": "101031", "sku": "1010310008", "seats": SEATS}


class TestGoogle(TargetContract):
    """Every promise."""

    text_attribute = "organizations.title"
    list_attribute = "Skole.klasser"
    containers = ("/Skole/Elever", "/Skole/Ansatte")
    sku = "edu-plus"
    name_suffix = "@kommune.example"

    @pytest.fixture(autouse=True)
    def customer(self, google: GoogleService) -> None:
        """An empty customer with few seats, and a custom field."""
        google.empty(Config(products={"101031": {"1010310008": SEATS}}))
        google.put(
            "schema", schemaName="Skole", fields=[{"fieldName": "klasser", "fieldType": "STRING", "multiValued": True}]
        )
        self.google = google

    @pytest.fixture
    def open_target(self, settings: Settings) -> OpenTarget:
        """The customer. Former addresses go, so that they are free again."""
        options = settings(
            custom_fields={"Skole.klasser": "list"}, keep_former_address=False, licences={"edu-plus": LICENCE}
        )
        return lambda: open_target(options, Path())

    def account_attributes(self, name: str, able: Capabilities) -> dict[str, Value]:
        """A user needs both names."""
        return {able.account_name: name, "givenName": "Ola", "familyName": "Nordmann"}

    def group_attributes(self, name: str, able: Capabilities) -> dict[str, Value]:
        """A group's address is of one of the customer's domains."""
        return {able.group_name: name, "name": "Klasse 3B"}

    def ended_sessions(self, _target: Target, anchor: str) -> int | None:
        """As the customer counts them."""
        return int(self.google.contents()["users"][anchor].get("_signOuts", 0))

    def has_password(self, _target: Target, anchor: str, password: Password) -> bool | None:
        """As the customer keeps it."""
        user = self.google.contents()["users"][anchor]
        kept = (user["_password"], bool(user.get("changePasswordAtNextLogin")))
        return kept == (password.value, password.must_change)
