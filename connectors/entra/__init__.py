"""Entra ID, by way of Microsoft Graph: accounts, groups, memberships, groups in groups and licences."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from connectors.contract import Connector
from connectors.entra.options import EntraOptions
from connectors.entra.target import EntraTarget

for _package in ("azure.identity", "httpx", "kiota_http"):  # imported by whoever speaks to Graph; missed here already
    if importlib.util.find_spec(_package) is None:
        raise ModuleNotFoundError(f"No module named '{_package}'", name=_package)


def open_target(options: EntraOptions, folder: Path) -> EntraTarget:
    """The target of these settings; a relative path is relative to `folder`. Touches nothing."""
    return EntraTarget(options, folder)


connector = Connector(type="entra", options=EntraOptions, open_target=open_target)
