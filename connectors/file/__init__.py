"""A target for systems that take only files: what shall exist, or what changed, as CSV, JSON Lines or LDIF."""

from __future__ import annotations

from pathlib import Path

from connectors.contract import Connector
from connectors.file.options import FileOptions
from connectors.file.target import FileTarget


def open_target(options: FileOptions, folder: Path) -> FileTarget:
    """The target of these settings; a relative path is relative to `folder`. Touches nothing."""
    return FileTarget(folder / options.path, options)


connector = Connector(type="file", options=FileOptions, open_target=open_target)
