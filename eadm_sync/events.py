"""Loggers of our events, which go where logging goes: `app.logs` says where that is, and from which level on.

Whoever logs takes its logger from here, so that structlog, which loads Rich with it, is loaded by what logs alone and
is told of logging before the first event.
"""

from __future__ import annotations

import logging

import structlog

structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    wrapper_class=structlog.make_filtering_bound_logger(logging.DEBUG),
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=False,
)

get_logger = structlog.get_logger
"""A logger of the module that calls it."""
