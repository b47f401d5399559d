"""The C library's heap, from which SQLite and larger Python objects come."""

from __future__ import annotations

import ctypes
import os
import sys

_M_ARENA_MAX = -8  # of glibc's malloc.h


def share_heap() -> None:
    """Has threads that are started from now on allocate from the main thread's heap.

    glibc gives each of them a heap of its own, which keeps what it once held: some 30 MiB for each target that is
    delivered to, while the main thread's heap has room that planning left. With Python's lock they hardly ever allocate
    at once. Nothing happens where the C library is another, or where whoever started the program has decided
    (https://www.gnu.org/software/libc/manual/html_node/Memory-Allocation-Tunables.html).
    """
    decided = "MALLOC_ARENA_MAX" in os.environ or "glibc.malloc.arena_max" in os.environ.get("GLIBC_TUNABLES", "")
    if sys.platform != "linux" or decided:
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
