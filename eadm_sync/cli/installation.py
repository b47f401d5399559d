"""Opens the installation that a command works on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from eadm_sync.app.context import Context


def installation(config: Path, *, service: bool = False) -> Context:
    """The installation of a configuration file, with logging set up as it says; `service`: for a daemon.

    Raises:
        ConfigError: The file is wrong, or not there.
    """
    from eadm_sync.app.context import open_context
    from eadm_sync.app.logs import configure
    from eadm_sync.clock import SystemClock

    require(config)
    context = open_context(config, SystemClock())
    configure(context.loaded.settings.logging, context.loaded.base_dir, service=service)
    return context


def require(config: Path) -> None:
    """Nothing, if there is such a file.

    Raises:
        ConfigError: There is none; says what helps.
    """
    from eadm_sync.errors import ConfigError, Problem

    if not config.exists():
        hint = "make one with 'eadm-sync init', or name another with --config"
        raise ConfigError((Problem(str(config), 0, 0, "there is no such file", hint=hint),))
