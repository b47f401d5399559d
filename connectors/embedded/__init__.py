"""The reference target: a directory in its own SQLite file, for rehearsals, examples and tests."""

from __future__ import annotations

from pathlib import Path

from connectors.contract import Connector
from connectors.embedded.options import EmbeddedOptions
from connectors.embedded.target import EmbeddedTarget


def open_target(options: EmbeddedOptions, folder: Path) -> EmbeddedTarget:
    """The target of these settings; a relative path is relative to `folder`. Touches nothing."""
    return EmbeddedTarget(folder / options.path, options)


connector = Connector(type="embedded", options=EmbeddedOptions, open_target=open_target)
