"""Where log events go, as the configuration says. Events hold ids and counts; never names, national ids or payloads."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from eadm_sync.config.settings import LoggingSettings


def configure(settings: LoggingSettings, base_dir: Path) -> None:
    """Sends events to the configured file, or warnings and worse to standard error."""
    stream = sys.stderr if settings.file is None else (base_dir / settings.file).open("a", encoding="utf-8")
    # On a terminal the commands say themselves what they do; only what is out of the ordinary is added.
    level = max(logging.getLevelName(settings.level.upper()), logging.WARNING if settings.file is None else 0)
    colours = settings.file is None and sys.stderr.isatty()
    last = (
        structlog.processors.JSONRenderer()
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=colours)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            last,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(stream),
        cache_logger_on_first_use=False,
    )
