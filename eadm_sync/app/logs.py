"""Where log events go, as the configuration says: the one place that sets logging up, for the shell and the daemon.

An event has a stable name and ids. What no log may hold is kept out here as well, whoever logs it: bytes (payloads,
keys) are never written out, and eleven digits in a row, which may be a national id, are masked. Control characters are
written out, so that an event is one line, and nothing that was read can forge another one. Loggers of libraries
pass through the same processors, from warnings on: below that SQLAlchemy logs the rows it reads, and httpx addresses.
"""

from __future__ import annotations

import logging
import os
import re
import sys
from collections.abc import Callable, MutableMapping
from functools import cache, partial
from pathlib import Path
from typing import Any, TextIO

from eadm_sync.config.settings import LoggingSettings
from eadm_sync.events import with_bound

OWN = ("eadm_sync", "connectors", "exportqueue")
"""Packages whose events are logged from the configured level on."""

_HANDLER = "eadm-sync"
_NATIONAL_ID = re.compile(r"(?<![0-9A-Za-z])\d{6}[ .-]?\d{5}(?![0-9A-Za-z])")
_MASK = "***********"
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
_MANY_LINES = frozenset({"exception", "stack"})

Event = MutableMapping[str, Any]


def configure(settings: LoggingSettings, base_dir: Path, *, service: bool = False) -> None:
    """Sends events to the configured file, or to standard error.

    What binds `run`, `job`, `item` or `target` (`events.bound`) has them in every event of its thread. A
    file that was moved away, as logrotate does, is made anew (not on Windows, where an open file cannot be moved).

    Args:
        settings: What is logged, and where.
        base_dir: What a relative path is relative to.
        service: True for a daemon: standard error then is its log, and not a terminal on which a command says itself
            what it does, so that only warnings are added.

    Raises:
        OSError: The file cannot be written.
    """
    level = logging.getLevelName(settings.level.upper())
    if settings.file is None and not service:
        level = max(level, logging.WARNING)
    handler = _Stderr() if settings.file is None else _file_handler(base_dir / settings.file)
    handler.set_name(_HANDLER)
    handler.setLevel(level)
    colours = settings.file is None and sys.stderr.isatty()
    handler.setFormatter(_OnceNeeded(partial(_formatter, settings, colours=colours)))
    root = logging.getLogger()
    for former in [one for one in root.handlers if one.get_name() == _HANDLER]:
        root.removeHandler(former)
        former.close()
    root.addHandler(handler)
    for name in OWN:
        logging.getLogger(name).setLevel(level)


class _OnceNeeded(logging.Formatter):
    """A formatter that is made for the first line: most commands log none, and need not load what makes it."""

    def __init__(self, make: Callable[[], logging.Formatter]) -> None:
        super().__init__()
        self._make = cache(make)

    def format(self, record: logging.LogRecord) -> str:
        """One line."""
        return self._make().format(record)


def _formatter(settings: LoggingSettings, *, colours: bool) -> logging.Formatter:
    """What makes one line of an event, or of a library's record."""
    import structlog  # noqa: PLC0415 - as in `_OnceNeeded`

    is_json = settings.format == "json"
    last = structlog.processors.JSONRenderer() if is_json else structlog.dev.ConsoleRenderer(colors=colours)
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[with_bound, structlog.stdlib.add_logger_name],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            hide,
            last,
        ],
    )


def hide(_logger: object, _method: str, event: Event) -> Event:
    """An event without what no log may hold."""
    for name, value in event.items():
        hidden = _hidden(value)
        event[name] = _on_one_line(hidden) if isinstance(hidden, str) and name not in _MANY_LINES else hidden
    return event


def _on_one_line(text: str) -> str:
    """With control characters written out: what a target or a library says must not look like a line of ours."""
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def _hidden(value: Any) -> Any:
    match value:
        case str():
            return _NATIONAL_ID.sub(_MASK, value)
        case bytes() | bytearray() | memoryview():
            return f"<{len(value)} bytes>"
        case dict():
            return {_hidden(key): _hidden(each) for key, each in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_hidden(each) for each in value]
        case bool() | int() | float() | None:
            return value
        case _:
            return _NATIONAL_ID.sub(_MASK, str(value))


class _Stderr(logging.StreamHandler[TextIO]):
    """Writes to what standard error is at that moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:  # type: ignore[override]
        """Standard error."""
        return sys.stderr


def _file_handler(path: Path) -> logging.Handler:
    from logging.handlers import WatchedFileHandler  # noqa: PLC0415 - loads sockets and queues; most commands log none

    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.touch(mode=0o640, exist_ok=True)  # what stands in it is nobody's but the owner's and a log shipper's
    kind = WatchedFileHandler if os.name == "posix" else logging.FileHandler
    return kind(path, encoding="utf-8")
