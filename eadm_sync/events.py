"""Events of ours, which go where logging goes: `app.logs` says where that is, and from which level on.

They are structlog's. It loads Rich and the lexers of a hundred languages with it, so that here it is loaded with the
first event that somebody hears: most commands have none.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from functools import cache
from typing import Any

_bound: ContextVar[Mapping[str, object] | None] = ContextVar("bound", default=None)


class Logger:
    """Tells the events of one module, by a stable name and ids."""

    def __init__(self, name: str) -> None:
        self._name = name

    def debug(self, event: str, **values: object) -> None:
        """Tells of what only its developers look for."""
        self._tell(logging.DEBUG, event, values)

    def info(self, event: str, **values: object) -> None:
        """Tells of what is as it should be."""
        self._tell(logging.INFO, event, values)

    def warning(self, event: str, **values: object) -> None:
        """Tells of what somebody may have to look at."""
        self._tell(logging.WARNING, event, values)

    def error(self, event: str, **values: object) -> None:
        """Tells of what failed."""
        self._tell(logging.ERROR, event, values)

    def exception(self, event: str, **values: object) -> None:
        """Likewise, with the exception that is being handled."""
        self._tell(logging.ERROR, event, {"exc_info": True, **values})

    def _tell(self, level: int, event: str, values: Mapping[str, object]) -> None:
        if logging.getLogger(self._name).isEnabledFor(level):
            _structlog().get_logger(self._name).log(level, event, **values)


get_logger = Logger
"""A module's logger: `log = get_logger(__name__)`."""


@contextlib.contextmanager
def bound(**values: object) -> Iterator[None]:
    """Has these values in every event that this thread tells inside."""
    token = _bound.set({**(_bound.get() or {}), **values})
    try:
        yield
    finally:
        _bound.reset(token)


def with_bound(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A processor: an event with what is bound, unless it says otherwise itself."""
    return {**(_bound.get() or {}), **event}


@cache
def _structlog() -> Any:
    import structlog  # noqa: PLC0415 - see above

    structlog.configure(
        processors=[with_bound, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    return structlog
