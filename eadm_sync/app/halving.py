"""The second half of the people in a process of its own, so that a comparison of everything uses two processors."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from multiprocessing.connection import Connection as Pipe
from types import TracebackType
from typing import Self

import msgspec

from connectors.contract import Action, Kind
from eadm_sync.errors import StateError
from eadm_sync.plan.change import GroupFrame, PersonFrame
from eadm_sync.plan.plan import Problem
from eadm_sync.plan.spool import Spool

_FRAMES_AT_ONCE = 500


class Summary(msgspec.Struct, frozen=True):
    """What the process has to tell beside its frames.

    Attributes:
        unnamed: Ids of people it left out: they need a name, and names are given in one place only.
        evaluated: How many people it looked at.
        effects: Fields of an `Effect` with their number.
        groups: Changes to groups.
        problems: People whom the rules cannot serve.
    """

    unnamed: tuple[str, ...]
    evaluated: int
    effects: tuple[tuple[tuple[str, str, Kind, Action, str], int], ...]
    groups: tuple[GroupFrame, ...]
    problems: tuple[Problem, ...]


Work = Callable[[], tuple[Summary, Spool[PersonFrame]]]


class Half:
    """A forked process that does its work at once, and tells the result when asked.

    It inherits the compiled rules, which cannot be sent, and has to open a connection to the state of its own.
    """

    def __init__(self, work: Work) -> None:
        forking = multiprocessing.get_context("fork")
        self._pipe, theirs = forking.Pipe(duplex=False)
        self._process = forking.Process(target=_run, args=(work, theirs), daemon=True)
        self._theirs = theirs

    def __enter__(self) -> Self:
        self._process.start()
        self._theirs.close()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()  # reads only: nothing can be half done
        self._process.join()
        self._pipe.close()

    def summary(self) -> Summary:
        """Waits for the work to be done.

        Raises:
            StateError: The process ended before it was.
        """
        return msgspec.msgpack.decode(self._receive(), type=Summary)

    def frames(self) -> Iterator[PersonFrame]:
        """All frames, in order; once, after the summary."""
        decode = msgspec.msgpack.Decoder(list[PersonFrame]).decode
        while portion := decode(self._receive()):
            yield from portion

    def _receive(self) -> bytes:
        try:
            return self._pipe.recv_bytes()
        except EOFError as error:
            raise StateError("the process that compared the second half of the people ended early") from error


def _run(work: Work, pipe: Pipe) -> None:
    """What the process does; an exception ends it, is printed, and closes the pipe."""
    encode = msgspec.msgpack.encode
    summary, spool = work()
    pipe.send_bytes(encode(summary))
    portion: list[PersonFrame] = []
    for frame in spool:
        portion.append(frame)
        if len(portion) == _FRAMES_AT_ONCE:
            pipe.send_bytes(encode(portion))
            portion = []
    if portion:
        pipe.send_bytes(encode(portion))
    pipe.send_bytes(encode([]))
    pipe.close()
