"""Google Workspace, by way of the Admin SDK: accounts, groups, memberships, groups in groups and licences."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from connectors.contract import Connector
from connectors.google_workspace.options import GoogleOptions
from connectors.google_workspace.target import GoogleTarget

for _package in (
    "googleapiclient",
    "google_auth_httplib2",
):  # imported by whoever speaks to Google; missed here already
    if importlib.util.find_spec(_package) is None:
        raise ModuleNotFoundError(f"No module named '{_package}'", name=_package)


def open_target(options: GoogleOptions, folder: Path) -> GoogleTarget:
    """The target of these settings; a relative path is relative to `folder`. Touches nothing."""
    return GoogleTarget(options, folder)


connector = Connector(type="google", options=GoogleOptions, open_target=open_target)
