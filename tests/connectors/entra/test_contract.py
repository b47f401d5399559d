"""The contract, over the wire, against the local Graph service."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.contract import Capabilities, Password, Target, Value
from connectors.contract_suite import OpenTarget, TargetContract
from connectors.entra import open_target
from tests.connectors.entra.conftest import Settings
from tests.services.graph.config import Config
from tests.services.graph.control import GraphService

SEATS = 3


class TestEntra(TargetContract):
    """Every promise."""

    text_attribute = "jobTitle"
    list_attribute = "otherMails"
    sku = "EMS"
    name_suffix = "@kommune.example"

    @pytest.fixture(autouse=True)
    def tenant(self, graph: GraphService) -> None:
        """An empty tenant with few seats."""
        graph.empty(Config(skus={"EMS": SEATS}))
        self.graph = graph

    @pytest.fixture
    def open_target(self, settings: Settings) -> OpenTarget:
        """The tenant. A mail address stays with a user as an alias: other than names, it is not free again."""
        options = settings(unique=[])
        return lambda: open_target(options, Path())

    def account_attributes(self, name: str, able: Capabilities) -> dict[str, Value]:
        """A user needs a name to be shown, and a country before it can have licences."""
        return {
            able.account_name: name,
            "displayName": "Ola Nordmann",
            "usageLocation": "NO",
        }

    def ended_sessions(self, _target: Target, anchor: str) -> int | None:
        """As the tenant counts them."""
        return int(self.graph.contents()["users"][anchor].get("_sessions", 0))

    def has_password(self, _target: Target, anchor: str, password: Password) -> bool | None:
        """As the tenant keeps it."""
        user = self.graph.contents()["users"][anchor]
        return bool(user["_password"] == password.value and user["_mustChange"] is password.must_change)
