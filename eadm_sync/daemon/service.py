"""The daemon's main loop: leads if it can, delivers, answers signals, and says how it is."""

from __future__ import annotations

import logging
import os
import socket
import time
from collections.abc import Callable, Collection
from datetime import datetime
from pathlib import Path

from eadm_sync import __version__
from eadm_sync.app import jobs, triggering
from eadm_sync.app.context import Context, open_context
from eadm_sync.app.delivering import Crew
from eadm_sync.app.jobs import Ended, JobRow
from eadm_sync.app.logs import configure
from eadm_sync.app.naming import known_name
from eadm_sync.app.triggering import Request
from eadm_sync.config.schedule import RELOAD
from eadm_sync.daemon.health import Health, JobHealth
from eadm_sync.daemon.http import Observed, listening
from eadm_sync.daemon.leading import Leadership
from eadm_sync.daemon.metrics import registry
from eadm_sync.daemon.notify import Notifier
from eadm_sync.daemon.runner import Runner
from eadm_sync.daemon.signals import Signals
from eadm_sync.errors import ConfigError, EadmError, Problem, StateError
from eadm_sync.events import get_logger
from eadm_sync.heap import share_heap
from eadm_sync.state.database import Database

log = get_logger(__name__)

_TICK_SECONDS = 0.25
"""How soon a signal is seen to."""

_ANSWER_SECONDS = 0.5
"""How often it is looked whether somebody asks for a job: it begins within a second."""

_HEARTBEAT_SECONDS = 5.0
"""Many of these go into `app.triggering.ALIVE_SECONDS`."""

_STEP_SECONDS = 0.05

_LAST_SECONDS = 6.0
"""What a command gets to end when it is cut off, and a second."""


class Daemon:
    """One process: `eadm-sync run`, or with `delivers_only` `eadm-sync worker`.

    Args:
        config: The configuration file, to be read again when asked.
        context: The installation as it was read.
        database: The state, open for writing.
        only: Names of the targets to deliver to; None for all.
        delivers_only: Whether to leave all jobs to others.
        signals: What the operating system asks.
        notifier: Who is told.
    """

    def __init__(
        self,
        config: Path,
        context: Context,
        database: Database,
        *,
        only: Collection[str] | None = None,
        delivers_only: bool = False,
        signals: Signals,
        notifier: Notifier,
    ) -> None:
        self.name = f"{socket.gethostname()}:{os.getpid()}"
        self._config = config
        self._context = context
        self._database = database
        self._only = only
        self._signals = signals
        self._notifier = notifier
        self._leadership = None if delivers_only else Leadership(database, f"process {os.getpid()} (eadm-sync run)")
        self._runner = Runner(context, database)
        self._leads = False
        self._crew: Crew | None = None
        self._former: list[Crew] = []
        self._rows: tuple[JobRow, ...] = ()
        self._state_reachable = True
        self._check_at = self._beat_at = self._answer_at = 0.0
        self._started_at = self._last_tick = context.clock.now()

    def run(self) -> bool:
        """Runs until a signal says stop; returns whether all that was under way has ended in time.

        Raises:
            StateError: Another daemon is at work on an embedded database, or the state cannot be used; later, it is
                waited for.
        """
        if self._leadership is not None:
            self._leadership.take_sole()
        self._crew = self._started(self._context)
        log.info("daemon.started", name=self.name, version=__version__)
        self._notifier.ready()
        while not self._signals.stopping:
            self._tick()
            time.sleep(_TICK_SECONDS)
        return self._stop()

    def health(self) -> Health:
        """How it is now; from any thread."""
        crew, running, leads = self._crew, self._runner.running, self._leads
        return Health(
            role=self._role,
            started_at=self._started_at,
            last_tick=self._last_tick,
            state_reachable=self._state_reachable,
            stopping=self._signals.stopping,
            jobs=tuple(_health(row, running, leads=leads) for row in self._rows),
            crew=None if crew is None else crew.health(),
        )

    @property
    def context(self) -> Context:
        """The installation as it was read last."""
        return self._context

    @property
    def _role(self) -> str:
        if self._leadership is None:
            return "worker"
        return "leader" if self._leads else "standby"

    # ------------------------------------------------------------ the loop

    def _tick(self) -> None:
        self._last_tick = self._context.clock.now()
        self._notifier.alive()
        if self._signals.take_reload():
            self._reload()
        self._former = [crew for crew in self._former if not crew.wait(0)]
        try:
            if time.monotonic() >= self._check_at:
                self._lead()
                self._check_at = time.monotonic() + self._context.loaded.settings.daemon.leader_check_seconds
            if time.monotonic() >= self._beat_at:
                self._beat()
                self._beat_at = time.monotonic() + _HEARTBEAT_SECONDS
            if self._leads and time.monotonic() >= self._answer_at:
                self._answer()
                self._answer_at = time.monotonic() + _ANSWER_SECONDS
        except StateError as error:
            if self._state_reachable:
                log.error("state.unreachable", error=str(error))  # noqa: TRY400 - the words say it all
            self._state_reachable = False
        else:
            if not self._state_reachable:
                log.info("state.reachable")
            self._state_reachable = True

    def _lead(self) -> None:
        """Begins to lead, or stops, as the lock says; without the state nobody leads."""
        if self._leadership is None:
            return
        held = False
        try:
            held = self._leadership.check()
        finally:
            if self._leads and not held:
                self._leads = False
                self._runner.close()
                log.warning("leader.ended")
        if held and not self._leads:
            self._runner.open()
            self._leads = True
            self._beat_at = 0.0
            log.info("leader.began")

    def _beat(self) -> None:
        """Says that it lives, and looks how the jobs are."""
        now = self._context.clock.now()
        with self._database.write() as connection:
            triggering.beat(
                connection, self.name, role=self._role, version=__version__, started_at=self._started_at, now=now
            )
        if self._leadership is not None:
            with self._database.read() as connection:
                self._rows = tuple(jobs.listed(self._context, connection))
        self._notifier.status(self._words())

    def _answer(self) -> None:
        with self._database.read() as connection:
            waiting = triggering.waiting(connection)
        for request in waiting:
            if request.job == RELOAD:
                self._answer_reload(request)
            else:
                self._runner.ask(request)

    def _answer_reload(self, request: Request) -> None:
        with self._database.write() as connection:
            mine = triggering.take_up(connection, request, self._context.clock.now())
        if mine:
            ended = self._reload()
            with self._database.write() as connection:
                triggering.answer(connection, request, ended, self._context.clock.now())

    # ------------------------------------------------------------ the configuration

    def _reload(self) -> Ended:
        """Reads the configuration and the rules again; whatever is wrong with them, the old ones stay."""
        log.info("reload.began")
        self._notifier.reloading()
        try:
            context = checked(open_context(self._config, self._context.clock), like=self._context)
            self._go_by(context)
        except ConfigError as error:
            for problem in error.problems:
                log.error("reload.problem", problem=str(problem))  # noqa: TRY400 - the words say it all
            ended = Ended("failed", None, f"{_counted(error)}: {error.problems[0]}")
        except (EadmError, OSError) as error:
            ended = Ended("failed", None, str(error))
        else:
            ended = Ended("done")
        if ended.is_well:
            log.info("reload.ended")
        else:
            log.error("reload.refused", error=ended.error, still="the configuration that was read before")
        self._notifier.ready()
        self._notifier.status(self._words() if ended.is_well else f"reload refused: {ended.error}")
        return ended

    def _go_by(self, context: Context) -> None:
        """Jobs and deliveries follow another configuration; what is being delivered goes on."""
        crew = self._started(context)
        try:
            self._runner.follow(context)
            configure(context.loaded.settings.logging, context.loaded.base_dir, service=True)
        except (StateError, OSError):
            crew.stop()
            self._former.append(crew)
            raise
        if self._crew is not None:
            self._crew.stop()
            self._former.append(self._crew)
        self._context, self._crew = context, crew

    def _started(self, context: Context) -> Crew:
        crew = Crew(context, self._database, only=self._only, until_empty=False)
        crew.start()
        return crew

    # ------------------------------------------------------------ the end

    def _stop(self) -> bool:
        """Lets what is under way end; True if it did in time."""
        allowed = self._context.loaded.settings.daemon.stop_seconds
        log.info("daemon.stopping", allowed_seconds=allowed)
        self._notifier.stopping()
        self._runner.stop()
        crews = [*self._former, *([self._crew] if self._crew is not None else [])]
        for crew in crews:
            crew.stop()
        ended = self._wait(lambda: self._runner.running is None and all(crew.wait(0) for crew in crews), allowed)
        if not ended:
            self._runner.cut_off.set()
            idle = self._wait(lambda: self._runner.running is None, _LAST_SECONDS)
            log.warning("daemon.cut_off", job_ended=idle, delivering=sum(not crew.wait(0) for crew in crews))
        try:
            self._leave()
        except StateError as error:
            log.warning("state.unreachable", error=str(error))
        log.info("daemon.stopped")
        return ended

    def _wait(self, until: Callable[[], bool], seconds: float) -> bool:
        limit = time.monotonic() + seconds
        while not until():
            if time.monotonic() >= limit:
                return False
            self._notifier.alive()
            time.sleep(_STEP_SECONDS)
        return True

    def _leave(self) -> None:
        """Takes the process out of the books."""
        with self._database.write() as connection:
            if self._runner.running is not None:
                jobs.interrupt_orphans(connection, self._context.clock.now())
            triggering.leave(connection, self.name)
        if self._leadership is not None:
            self._leadership.release()

    def _words(self) -> str:
        """One line on how it is."""
        following = min((row.next_at for row in self._rows if row.next_at is not None), default=None)
        running = self._runner.running
        parts = [self._role, f"{len(self._rows)} jobs" if self._rows else None]
        parts += [f"at work: {running[0]}" if running else None]
        parts += [f"next at {following}" if following and self._leads else None]
        return ", ".join(part for part in parts if part)


def checked(context: Context, *, like: Context | None = None) -> Context:
    """The context with everything read that jobs and deliveries need, so that they go on if a file breaks later.

    Raises:
        ConfigError: The rules are wrong, or, with `like`, what only a new start can change is different there.
        StateError: The keys cannot be used.
    """
    _ = context.ruleset, context.vault, context.queue
    if like is not None and context.loaded.settings.state != like.loaded.settings.state:
        hint = "restart the daemon to use another state, or put it back"
        problem: Problem = context.loaded.document.problem(
            ("state",), "cannot change while it runs", hint=hint, key=True
        )
        raise ConfigError((problem,))
    return context


def _health(row: JobRow, running: tuple[str, datetime] | None, *, leads: bool) -> JobHealth:
    return JobHealth(
        name=row.name,
        kind=row.do,
        running_since=running[1] if running is not None and running[0] == row.name else None,
        next_at=_moment(row.next_at) if leads else None,
        status=row.status,
        succeeded_at=_moment(row.succeeded_at),
    )


def _counted(error: ConfigError) -> str:
    number = len(error.problems)
    return "one problem" if number == 1 else f"{number} problems, the first"


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def _observed(daemon: Daemon, database: Database) -> Observed:
    metrics = registry(lambda: daemon.context, database, daemon)
    return Observed(daemon, database, metrics, daemon.context.clock)


def serve(config: Path, context: Context, *, only: Collection[str] | None = None, delivers_only: bool = False) -> None:
    """Runs a daemon, or a worker, until it is told to stop; for the main thread.

    Raises:
        NotFound: There is no such target.
        And as `Daemon.run` and `checked`.
    """
    for name in only or ():
        known_name("target", name, context.loaded.settings.targets)
    share_heap()
    signals = Signals()
    signals.install()
    checked(context)
    with context.writing() as database:
        daemon = Daemon(
            config,
            context,
            database,
            only=only,
            delivers_only=delivers_only,
            signals=signals,
            notifier=Notifier(),
        )
        with listening(context.loaded.settings.daemon.http, lambda: _observed(daemon, database)):
            ended = daemon.run()
    if not ended:  # Python would wait for what had no time to end
        logging.shutdown()
        os._exit(0)
