"""Does the jobs of a leading daemon, one after another: those whose time has come, and those somebody asked for."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from sqlalchemy import Connection

from eadm_sync.app import jobs, triggering
from eadm_sync.app.context import Context
from eadm_sync.app.jobs import Ended
from eadm_sync.app.triggering import Request
from eadm_sync.app.working import work
from eadm_sync.daemon.timing import Timer
from eadm_sync.errors import StateError
from eadm_sync.events import bound, get_logger
from eadm_sync.state.database import Database

log = get_logger(__name__)

_AGAIN_SECONDS = 1.0
"""How often the state is asked again to keep how a job ended."""


class Runner:
    """Jobs run here while the daemon leads.

    Attributes:
        context: The installation as it was last read; a job keeps the one that it began with.
        cut_off: Set when what is at work has no time left.
        running: The job at work and when it began, or None.
    """

    def __init__(self, context: Context, database: Database) -> None:
        self.context = context
        self.cut_off = threading.Event()
        self.running: tuple[str, datetime] | None = None
        self._database = database
        self._timer = Timer()
        self._is_open = False
        self._asked: set[int] = set()
        self._turn = threading.Lock()

    # ------------------------------------------------------------ from the main loop

    def open(self) -> None:
        """Begins to lead: puts the books in order, makes up for what was missed, and keeps the time.

        Raises:
            StateError: The state cannot be used.
        """
        context, schedule = self.context, self.context.loaded.settings.schedule
        with self._database.write() as connection:
            interrupted = jobs.interrupt_orphans(connection, context.clock.now())
            for name, job in schedule.items():
                jobs.enter(connection, name, job, context.clock.now())
            missed = jobs.missed(connection, schedule, context)
            for name, moment in missed.items():
                if not schedule[name].catch_up:
                    jobs.pass_over(connection, name, moment)
        for name in interrupted:
            log.warning("job.orphaned", job=name)
        self._asked.clear()  # what was asked for and not begun when another one came to lead
        self._is_open = True
        self._timer.load(schedule, context.loaded.settings.organisation.zone, self._by_the_clock)
        for name, moment in missed.items():
            log.warning("job.was_missed", job=name, moment=jobs.iso(moment), made_up_for=schedule[name].catch_up)
            if schedule[name].catch_up:
                self._timer.submit(self._by_the_clock, name)

    def close(self) -> None:
        """Leads no longer: nothing more begins. What is at work goes on."""
        self._timer.clear()
        with self._turn:
            self._is_open = False

    def stop(self) -> None:
        """Ends for good, without waiting for what is at work."""
        self.close()
        self._timer.stop()

    def follow(self, context: Context) -> None:
        """Goes by another configuration from now on.

        Raises:
            StateError: The state cannot be used.
        """
        self.context = context
        if self._is_open:
            schedule = context.loaded.settings.schedule
            with self._database.write() as connection:
                for name, job in schedule.items():
                    jobs.enter(connection, name, job, context.clock.now())
            self._timer.load(schedule, context.loaded.settings.organisation.zone, self._by_the_clock)

    def ask(self, request: Request) -> None:
        """Does what somebody asks for, in its turn; once, however often it is seen."""
        if request.id not in self._asked:
            self._asked.add(request.id)
            self._timer.submit(self._by_request, request)

    # ------------------------------------------------------------ one at a time, in the timer's thread

    def _by_the_clock(self, name: str) -> None:
        context = self.context
        job = context.loaded.settings.schedule.get(name)
        if job is None or job.times is None:
            return
        began = context.clock.now()
        moment = job.times.latest(began, context.loaded.settings.organisation.zone)
        with self._turn_of(name, began) as mine:
            if mine and self._change(lambda connection: jobs.claim(connection, name, moment, began)):
                self._carry_out(context, name, context.actor, began, moment=jobs.iso(moment))

    def _by_request(self, request: Request) -> None:
        context = self.context
        began = context.clock.now()
        job = context.loaded.settings.schedule.get(request.job)
        with self._turn_of(request.job, began) as mine:
            if not mine:
                return
            if job is None:
                ended = Ended("failed", None, f"the daemon's configuration has no job '{request.job}'")
                if not self._change(lambda connection: triggering.take_up(connection, request, began)):
                    return
            elif self._change(lambda connection: triggering.start(connection, request, job, began)):
                ended = self._carry_out(context, request.job, request.actor, began, request=str(request.id))
            else:
                return
            self._insist(lambda connection: triggering.answer(connection, request, ended, context.clock.now()))

    def _carry_out(self, context: Context, name: str, who: str, began: datetime, **cause: str) -> Ended:
        """One job, and those that come behind it; the cause is for the log."""
        with bound(job=name):
            log.info("job.started", actor=who, **cause)
            ended = work(context, self._database, name, who=who, cut_off=self.cut_off)
            self._insist(lambda connection: jobs.finish(connection, name, began, ended, context.clock.now()))
            tell = log.info if ended.is_well else log.error
            tell("job.ended", status=ended.status, error=ended.error)
        if ended.is_well:
            self._go_on(context, name, who)
        return ended

    def _go_on(self, context: Context, name: str, who: str) -> None:
        for other, job in context.loaded.settings.schedule.items():
            if job.after == name and self._is_open:
                began = context.clock.now()
                self.running = other, began
                self._insist(partial(jobs.begin, name=other, now=began))
                self._carry_out(context, other, who, began, behind=name)

    # ------------------------------------------------------------ little helpers

    @contextlib.contextmanager
    def _turn_of(self, name: str, began: datetime) -> Iterator[bool]:
        """Whether a job may begin; notes that it is at work until the block ends."""
        with self._turn:
            mine = self._is_open
            self.running = (name, began) if mine else self.running
        try:
            yield mine
        finally:
            if mine:
                self.running = None

    def _change(self, change: Callable[[Connection], bool]) -> bool:
        """What a change of the state returns; False, and a line in the log, where the state cannot be used."""
        try:
            with self._database.write() as connection:
                return change(connection)
        except StateError as error:
            log.error("job.not_begun", error=str(error))  # noqa: TRY400 - the words say it all
            return False

    def _insist(self, change: Callable[[Connection], None]) -> None:
        """Changes the state as soon as it can be; gives up when there is no time left."""
        while True:
            try:
                with self._database.write() as connection:
                    return change(connection)
            except StateError as error:
                log.error("job.not_noted", error=str(error))  # noqa: TRY400 - as above
                if self.cut_off.wait(_AGAIN_SECONDS):
                    return None
