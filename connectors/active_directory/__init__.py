"""Active Directory: accounts, groups, memberships and groups in groups, over LDAP."""

from __future__ import annotations

from pathlib import Path

from connectors.active_directory.options import ActiveDirectoryOptions
from connectors.active_directory.target import ActiveDirectoryTarget
from connectors.contract import Connector


def open_target(options: ActiveDirectoryOptions, folder: Path) -> ActiveDirectoryTarget:
    """The target of these settings; a relative path is relative to `folder`. Touches nothing."""
    return ActiveDirectoryTarget(options, folder)


connector = Connector(type="active_directory", options=ActiveDirectoryOptions, open_target=open_target)
