"""The composition root: one function per use case, and the only place where the parts are put together."""

import sys
from types import ModuleType
from typing import cast


def _load_structlog() -> None:
    """Loads structlog without Rich, which draws its tracebacks: nobody sees one here, and it would double the time."""
    if "rich" in sys.modules:
        return
    sys.modules["rich"] = cast("ModuleType", None)  # to Python this says that there is no such package
    try:
        import structlog  # noqa: F401, PLC0415 - it stays loaded
    finally:
        del sys.modules["rich"]


_load_structlog()
