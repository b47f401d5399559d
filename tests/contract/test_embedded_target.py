"""The reference target keeps every promise of the contract."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

import pytest

from connectors.contract import Password, Target
from connectors.contract_suite import OpenTarget, TargetContract
from connectors.embedded.target import EmbeddedTarget
from connectors.registry import load

SETTINGS = {
    "path": "directory.db",
    "unique": ["mail"],
    "required": ["mail"],
    "attributes": {"displayName": "str", "mail": "str", "proxyAddresses": "list"},
    "max_lengths": {"displayName": 64},
    "seats": {"A3": 3},
    "passwords": True,
}


class TestEmbeddedTarget(TargetContract):
    """The embedded target with everything that can be limited, limited."""

    containers: ClassVar = ("OU=Ansatte", "OU=Sluttet")
    list_attribute: ClassVar = "proxyAddresses"
    sku: ClassVar = "A3"

    def ended_sessions(self, target: Target, anchor: str) -> int:
        """The embedded target keeps count."""
        assert isinstance(target, EmbeddedTarget)
        return target.ended_sessions().get(anchor, 0)

    def has_password(self, target: Target, anchor: str, password: Password) -> bool:
        """Nobody can sign in to the embedded target; it only keeps that a password was given."""
        assert isinstance(target, EmbeddedTarget)
        given = target.given_passwords().get(anchor)
        return given is not None and given.must_change == password.must_change

    @pytest.fixture
    def open_target(self, tmp_path: Path) -> OpenTarget:
        """The same file every time within a test."""
        embedded = load("embedded")
        return lambda: embedded.open_target(embedded.options(**SETTINGS), tmp_path)


class TestUnlimitedEmbeddedTarget(TargetContract):
    """The embedded target as it is with no settings but its path."""

    unknown_attribute: ClassVar = None
    list_attribute: ClassVar = "proxyAddresses"
    sku: ClassVar = "A3"

    @pytest.fixture
    def open_target(self, tmp_path: Path) -> OpenTarget:
        """Without a recycle bin and without containers."""
        embedded = load("embedded")
        options = embedded.options(path="directory.db", soft_delete=False, containers=False)
        return lambda: embedded.open_target(options, tmp_path)
