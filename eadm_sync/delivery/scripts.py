"""Runs the programs that rules ask for after changes to accounts: from a queued change to what came of it.

At least once, like everything in the queue, so programs have to be safe to repeat. What has ended is written down at
once, in a transaction of its own: whoever takes the item over after a crash runs only the one that had not.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from connectors.contract import Action, Kind
from connectors.errors import ConnectorError, Rejected, Stale, Transient
from eadm_sync.clock import Clock
from eadm_sync.config.scripts import ScriptSettings
from eadm_sync.delivery.aftermath import Delivered
from eadm_sync.delivery.running import Ended, run_program
from eadm_sync.events import get_logger
from eadm_sync.plan.change import Change, Script
from eadm_sync.plan.scripts import is_outdated, written
from eadm_sync.state.crypto import Vault
from eadm_sync.state.database import Database
from eadm_sync.state.known import KnownAccount
from eadm_sync.state.scripts import (
    Key,
    Outcome,
    ended_items,
    forget_ended,
    forget_scripts,
    note_ended,
    note_owed,
    settle_owed,
)
from exportqueue import Item, PutOff, Result

log = get_logger(__name__)

_BATCH_SECONDS = 2.0
"""No program is begun later than so long after the first of a batch: an emergency stop waits for the batch to end."""

_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEPT = ("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "PATH", "TEMP", "TMP") if os.name == "nt" else ("TZ",)
"""Of our own environment: without these hardly any program begins on Windows."""

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class Ran:
    """What the queue carries from `deliver` to `record` for a program that was run to its end.

    Attributes:
        item: The queue's item.
        change: What it was to do.
        outcome: What came of it.
        error: Why that will not do, or None.
    """

    item: Item
    change: Change
    outcome: Outcome
    error: ConnectorError | None = None


@dataclass(frozen=True)
class Outdated:
    """The same for a program that was not begun, since the account is otherwise by now.

    Attributes:
        person: Whose account it is.
        name: Of the script.
        item: Id of the queue's item.
    """

    person: str
    name: str
    item: int


@dataclass(frozen=True)
class Scripts:
    """Runs the programs that are queued for one target.

    Attributes:
        database: The state.
        target: Name of the target.
        programs: What may be run, by name.
        base_dir: The folder of the configuration file.
        vault: Seals what programs say.
        clock: The time.
        must_stop: Whether the worker has to stop: what runs is ended and comes again.
    """

    database: Database
    target: str
    programs: Mapping[str, ScriptSettings]
    base_dir: Path
    vault: Vault
    clock: Clock
    must_stop: Callable[[], bool] = lambda: False

    def deliver(self, work: Sequence[tuple[Item, Change, KnownAccount | None]]) -> Iterator[Result]:
        """Runs what is asked for, one by one: (item, change, account as it is known now); one result each.

        What there is no time for is given back untouched.
        """
        ended_before = self._ended_before([item for item, _, _ in work]) if work else {}
        until = time.monotonic() + _BATCH_SECONDS
        is_first = True
        for item, change, account in work:
            if item.id in ended_before:
                yield Result(item.id, None, Ran(item, change, ended_before[item.id]))
            elif self.must_stop() or (time.monotonic() > until and not is_first):
                yield Result(item.id, PutOff())
            else:
                is_first = False
                yield self._run(item, change, account)

    def _ended_before(self, items: Sequence[Item]) -> Mapping[int, Outcome]:
        """What came of those that a worker ran to their end and could not record."""
        with self.database.read() as connection:
            return ended_items(connection, self.target, [(item.subject, item.id) for item in items])

    def _run(self, item: Item, change: Change, account: KnownAccount | None) -> Result:
        script = change.script or Script("", "", "")
        if is_outdated(script.event, account):
            why = Stale("the account is otherwise by now; the next plan will tell what is to be run")
            return Result(item.id, why, Outdated(item.subject, script.name, item.id))
        try:
            ended, settings = self._ended(item, change, script, account)
        except Rejected as error:
            return Result(item.id, error, item.subject)
        if ended.cut_off:
            return Result(item.id, PutOff())
        outcome = Outcome(ended.code, ended.output, self.clock.now().isoformat())
        log.info("script.ended", target=self.target, item=item.id, script=script.name, exit_code=ended.code)
        fault = _fault(ended, settings)
        if fault is None:
            with self.database.write() as connection:
                note_ended(connection, self.vault, [(_key(change, self.target), change.rule, item.id, outcome)])
        return Result(item.id, fault, Ran(item, change, outcome, fault))

    def _ended(
        self, item: Item, change: Change, script: Script, account: KnownAccount | None
    ) -> tuple[Ended, ScriptSettings]:
        """Runs one program to its end.

        Raises:
            Rejected: It cannot be begun.
        """
        settings = self.programs.get(script.program)
        if settings is None:
            raise Rejected(f"the configuration has no script '{script.program}' (any more)")
        refuse_untrusted(settings)
        try:
            return run_program(
                [str(settings.program), *settings.arguments, *script.arguments],
                folder=self.base_dir / (settings.folder or "."),
                environment=self._environment(settings, item, change, script, account),
                limit_seconds=settings.limit_seconds,
                must_end=self.must_stop,
            ), settings
        except OSError as error:
            raise Rejected(f"it cannot be started: {error.strerror}") from error
        except ValueError as error:  # its words could hold the argument
            raise Rejected("it cannot be started: an argument holds a NUL, or what is no text") from error

    def _environment(
        self, settings: ScriptSettings, item: Item, change: Change, script: Script, account: KnownAccount | None
    ) -> Mapping[str, str]:
        kept = {name: os.environ[name] for name in _KEPT if name in os.environ}
        told = {
            "EADM_EVENT": script.event,
            "EADM_SCRIPT": script.name,
            "EADM_TARGET": self.target,
            "EADM_PERSON": change.person or "",
            "EADM_ANCHOR": account.anchor if account else "",
            "EADM_ITEM": str(item.id),
        }
        return {"PATH": _PATH, "LANG": "C.UTF-8", **kept, **settings.environment, **told}


def refuse_untrusted(settings: ScriptSettings) -> None:
    """Refuses a program that others than its owner could have written, or a file among its own arguments.

    Raises:
        Rejected: With what is wrong.
    """
    named = (Path(word) for word in settings.arguments if Path(word).is_absolute())
    for path in (settings.program, *(path for path in named if path.is_file())):
        try:
            mode = path.stat().st_mode
        except OSError as error:
            raise Rejected(f"{path} cannot be run: {error.strerror}") from error
        if not stat.S_ISREG(mode):
            raise Rejected(f"{path} is no file")
        if os.name == "posix" and (mode & _OTHERS_MAY_WRITE or path.parent.stat().st_mode & stat.S_IWOTH):
            raise Rejected(f"{path} may be written by others than its owner; run: chmod go-w, on its folder too")
    if not os.access(settings.program, os.X_OK):
        raise Rejected(f"{settings.program} may not be run")


def _fault(ended: Ended, settings: ScriptSettings) -> ConnectorError | None:
    """What an end means; never with what the program said, which can hold people's data."""
    if ended.why is not None:
        return Transient(ended.why)
    if ended.code == settings.try_later:
        return Transient(f"asked to be run again later (exit code {ended.code})")
    return Rejected(f"ended with exit code {ended.code}") if ended.code else None


# ---------------------------------------------------------------- what is written down


def note_scripts(
    connection: Connection, vault: Vault, target: str, delivered: Sequence[Delivered], results: Sequence[Result]
) -> None:
    """Writes down what is owed since accounts were changed, and what came of programs.

    Args:
        connection: A connection that may write.
        vault: Seals what is told, and what was said.
        target: Name of the target.
        delivered: What the target carried out.
        results: What became of a batch, programs among it.
    """
    accounts = [one for one in delivered if one.change.kind is Kind.ACCOUNT]
    gone = [(one.change.person or "", target) for one in accounts if one.change.action is Action.DELETE]
    forget_scripts(connection, gone)
    owed = (
        ((one.change.person or "", target, script.name), one.change.rule, written(script), one.item.id)
        for one in accounts
        for script in one.change.scripts
    )
    note_owed(connection, vault, owed)
    ran = [result.value for result in results if isinstance(result.value, Ran)]
    failed = [one for one in ran if one.error is not None]
    rows = ((_key(one.change, target), one.change.rule, one.item.id, one.outcome) for one in failed)
    note_ended(connection, vault, rows)
    settled: list[tuple[Key, int]] = [(_key(one.change, target), one.item.id) for one in ran if one.error is None]
    outdated = (result.value for result in results if isinstance(result.value, Outdated))
    settle_owed(connection, [*settled, *(((one.person, target, one.name), one.item) for one in outdated)])
    last = (one for one in ran if one.error is None and one.change.action is Action.DELETE)
    forget_ended(connection, (_key(one.change, target) for one in last))


def _key(change: Change, target: str) -> Key:
    return change.person or "", target, change.script.name if change.script else ""
