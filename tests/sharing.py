"""Servers that a test run starts once, for all its processes; whatever becomes of them, nothing is left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol, TypeVar


class Shared(Protocol):
    """A server that runs."""

    @property
    def note(self) -> str:
        """All that another process has to know to use it."""
        ...

    def remove(self) -> None:
        """Ends it and removes what it kept."""
        ...


AServer = TypeVar("AServer", bound=Shared)


@contextmanager
def shared(
    meeting_place: Path, name: str, start: Callable[[int], AServer], of_note: Callable[[str], AServer]
) -> Iterator[AServer]:
    """One server for all processes that meet in a folder: the first one starts it, the last one removes it.

    Args:
        meeting_place: The folder.
        name: Of the server, among those that are shared there.
        start: Starts it; it ends with the process of this id at the latest.
        of_note: The server that another process has started, from its note.
    """
    import fcntl  # noqa: PLC0415 - not on Windows

    note = meeting_place / f"{name}.note"
    with (meeting_place / f"{name}.lock").open("a") as lock, (meeting_place / f"{name}.users").open("a") as users:
        fcntl.flock(lock, fcntl.LOCK_EX)
        fcntl.flock(users, fcntl.LOCK_SH)  # a process that is killed lets go of it
        is_one_of_many = "PYTEST_XDIST_WORKER" in os.environ  # who all end with the process that started them
        server = of_note(note.read_text()) if note.exists() else start(os.getppid() if is_one_of_many else os.getpid())
        note.write_text(server.note)
        fcntl.flock(lock, fcntl.LOCK_UN)
        try:
            yield server
        finally:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if _is_last(users.fileno()):
                note.unlink()
                server.remove()


def _is_last(users: int) -> bool:
    """Whether nobody else holds the lock on this file."""
    import fcntl  # noqa: PLC0415 - not on Windows

    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def end_with(process: int, watch: str, folder: Path) -> None:
    """Has a server end with a process, however that ends: test runs that are killed leave nothing behind.

    Args:
        process: Id of the process.
        watch: Words for a shell: a command that goes on by itself, waits for the end of `$1`, and ends what is in `$2`.
        folder: Of the server.
    """
    words = ["sh", "-c", watch, "watch", str(process), str(folder)]
    nowhere = subprocess.DEVNULL
    subprocess.run(words, check=True, stdin=nowhere, stdout=nowhere, stderr=nowhere, start_new_session=True)
