"""Entra ID, by way of Microsoft Graph: accounts, groups, memberships, groups in groups and licences."""

from __future__ import annotations

from pathlib import Path

from connectors.contract import Connector
from connectors.entra.options import EntraOptions
from connectors.entra.target import EntraTarget


def open_target(options: EntraOptions, folder: Path) -> EntraTarget:
    """The target of these settings; a relative path is relative to `folder`. Touches nothing."""
    return EntraTarget(options, folder)


connector = Connector(type="entra", options=EntraOptions, open_target=open_target)
