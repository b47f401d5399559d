"""Compares what targets hold with what they are known to hold, tells what differs, and puts known state right.

Targets are never changed here. What is to be put back is put back by the next plan, since known state says again what
is there; what is left alone stands in a table (`state.drift`) that plans pass over.

Targets are read while workers deliver to them. So whatever has a change on its way, or had one delivered since the
reading began, is left out: it is neither here nor there yet. What is stuck in the queue is on its way nowhere: known
state is put right, and what was computed from the former one is dropped for the next plan to compute anew. And a target
that suddenly holds much less than it is known to may have been read by somebody who lost a right: beyond a limit
nothing is believed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
from sqlalchemy import Connection, select

from connectors.contract import Kind
from connectors.errors import ConnectorError
from eadm_sync.app.context import Context
from eadm_sync.app.differing import Comparison, Found
from eadm_sync.app.giving import end_used
from eadm_sync.app.holdings import Holdings
from eadm_sync.app.leaving_alone import Outcome, Policies, is_over
from eadm_sync.app.mirroring import Mirror
from eadm_sync.app.naming import known_name
from eadm_sync.app.planning import Progress, silent
from eadm_sync.app.runs import Run, recorded
from eadm_sync.app.stuck import standing, supersede
from eadm_sync.app.target_reading import Reading, keep_tokens, last_tokens
from eadm_sync.app.wishes import Wishes
from eadm_sync.events import get_logger
from eadm_sync.model import Sealed
from eadm_sync.plan.audited import BY_HAND
from eadm_sync.state import drift, tables
from eadm_sync.state.auditing import AuditEntry, append_audit
from eadm_sync.state.database import Database
from eadm_sync.state.doubts import load_doubts
from eadm_sync.state.drift import MISSING, LeftRow, Value
from eadm_sync.state.protection import audited, note_protected
from eadm_sync.state.sealing import check_key

log = get_logger(__name__)

COMMAND = "reconcile"
"""As the book of runs has it."""

MOST_LISTED = 100
"""Objects listed for each target; counts go on. More than a hundred objects that differ have one cause."""

_TOLD_EVERY = 1_000
_HIDDEN = "***"


class Drift(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that is not as it was left.

    Attributes:
        kind: Account, group, membership, nesting or licence.
        object: Its key, as the export queue has it.
        what: missing; unexpected (it is about objects of ours, and nobody here gave it); enabled, disabled (by somebody
            else); attributes; container; role.
        name: The attribute, or "".
        outcome: What becomes of it: overwrite (put back by the next plan), report (left alone until somebody decides),
            accepted (left alone for good).
        known: What was known; '***' where it is sensitive. None in the book of runs, which holds no values.
        present: What the target holds.
        desired: What the rules give.
    """

    kind: Kind
    object: str
    what: str
    name: str = ""
    outcome: Outcome = "overwrite"
    known: Any = None
    present: Any = None
    desired: Any = None

    def without_values(self) -> Drift:
        """The same, for keeping."""
        return msgspec.structs.replace(self, known=None, present=None, desired=None)


class TargetDrift(msgspec.Struct, frozen=True):
    """What one target holds otherwise than it is known to.

    Attributes:
        target: Its name.
        compared: Objects of ours that were looked at, and what hangs on them.
        counts: How often each kind of drift was found, by "<kind>.<what>".
        drifts: The first of them.
        error: Why the target could not be read (to the end), or None; nothing was put right then.
        held: Why the reading is not believed; nothing was put right then.
        left: How many things are left alone until somebody decides, former ones among them.
        incremental: Whether only what has changed since the last reading was read.
        superseded: Queued changes that were stuck, and dropped since they stood on what is not so.
        protected: Objects of ours that were found to be protected by the target itself: no plan changes them any more.
    """

    target: str
    compared: int = 0
    counts: dict[str, int] = {}
    drifts: tuple[Drift, ...] = ()
    error: str | None = None
    held: tuple[str, ...] = ()
    left: int = 0
    incremental: bool = False
    superseded: int = 0
    protected: int = 0

    @property
    def total(self) -> int:
        """How many differences there are."""
        return sum(self.counts.values())


@dataclass(frozen=True)
class Terms:
    """How a target is reconciled.

    Attributes:
        incremental: Read only what has changed since the last time, where the target can tell.
        dry_run: Only tell.
        believe: Whether a reading is believed however much differs; the reason why, or None.
        run_id: The run.
        progress: Told how it gets on.
    """

    incremental: bool
    dry_run: bool
    believe: str | None
    run_id: str
    progress: Progress = field(default=silent)


def reconcile(
    context: Context,
    *,
    only: str | None = None,
    incremental: bool = False,
    dry_run: bool = False,
    believe: str | None = None,
    progress: Progress = silent,
) -> tuple[TargetDrift, ...]:
    """Reads the targets, compares, and puts known state right, as a run of its own in the book of runs.

    Args:
        context: The installation.
        only: Name of one target.
        incremental: Read only what has changed since the last time, where the target can tell that.
        dry_run: Only tell what differs.
        believe: Why a reading is believed in which more differs than `brakes.drift` allows, for the audit.
        progress: Told how it gets on.

    Raises:
        NotFound: There is no such target.
        ConfigError: The rules are wrong.
        StateError: The state cannot be used.
    """
    targets = context.loaded.settings.targets
    if only is not None:
        known_name("target", only, targets)
    with context.writing() as database, recorded(context, database, COMMAND) as run:
        with database.read() as connection:
            check_key(connection, context.vault)
        terms = Terms(incremental, dry_run, believe, run.id, progress)
        found = tuple(_reconciled(context, database, name, terms) for name in targets if only in {None, name})
        _describe(run, found)
    for one in found:
        log.info("target.compared", target=one.target, compared=one.compared, drifts=one.total, error=one.error)
    return found


def _describe(run: Run, found: Iterable[TargetDrift]) -> None:
    """For the book of runs, without values."""
    run.report["drift"] = {
        one.target: msgspec.to_builtins(
            msgspec.structs.replace(one, drifts=tuple(each.without_values() for each in one.drifts))
        )
        for one in found
    }
    run.report["holds"] = [
        {"brake": f"{one.target}.drift", "reason": reason, "population": one.compared, "vanished": one.total}
        for one in found
        for reason in one.held
    ]
    if any(one.error for one in found):
        run.status = "incomplete"


def _reconciled(context: Context, database: Database, name: str, terms: Terms) -> TargetDrift:
    began = context.clock.now().isoformat()
    with database.read() as connection:
        known = Holdings(connection, name)
        since = last_tokens(connection, name) if terms.incremental else {}
        early = _on_their_way(context, connection, name)
    words = context.vocabulary.targets[name]
    able = {Kind.ACCOUNT: words.attributes, Kind.GROUP: words.group_attributes}
    names = {kind: frozenset(held & able[kind].keys() if able[kind] else held) for kind, held in known.names.items()}
    with context.make_target(name) as target:
        reading = Reading(target, since, names)
        keeps = target.capabilities.soft_delete
        comparison = Comparison(known, context.vault.digest, context.vault.seal, names, reading.partial, keeps)
        used: set[str] = set()
        try:
            for number, one in enumerate(reading.objects(), 1):
                comparison.look_at(one)
                if one.password_used:
                    used.add(one.anchor)
                if not number % _TOLD_EVERY:
                    terms.progress(f"reading {name}", number, None)
        except ConnectorError as failure:
            log.warning("target.failed", target=name, error=str(failure))
            return _told_of_error(context, database, comparison, name, early, str(failure))
    found = {(one.object, one.what, one.name): one for one in (*comparison.found, *comparison.missing())}
    work = _Work(context, name, known, tuple(found.values()), comparison, terms, began, early, reading.ended)
    told = work.conclude(database)
    if used and not (terms.dry_run or told.held):  # a reading that is not believed tells nothing of passwords either
        end_used(context, database, name, used, began)
    return told


def _told_of_error(
    context: Context, database: Database, comparison: Comparison, name: str, early: Collection[str], error: str
) -> TargetDrift:
    """What was seen of a target before it went away."""
    with database.read() as connection:
        busy = {*early, *_on_their_way(context, connection, name)}
    found = [one for one in comparison.found if one.object not in busy]
    return TargetDrift(name, comparison.compared, _counts(found), (), error)


def _counts(found: Iterable[Found]) -> dict[str, int]:
    return dict(sorted(Counter(f"{one.kind}.{one.what}" for one in found).items()))


def _on_their_way(context: Context, connection: Connection, target: str) -> frozenset[str]:
    """Keys of objects with changes that are delivered, or tried again, by themselves."""
    return standing(connection, context.queue, target).moving


def _delivered_since(connection: Connection, target: str, moment: str) -> set[str]:
    audit = tables.audit.c
    return set(connection.scalars(select(audit.object).where(audit.target == target, audit.at >= moment)))


@dataclass
class _Work:
    """What becomes of a reading that came to its end."""

    context: Context
    target: str
    known: Holdings
    found: Sequence[Found]
    comparison: Comparison
    terms: Terms
    began: str
    early: Collection[str]
    ended: Mapping[Kind, str]
    superseded: int = 0
    protected: int = 0

    def conclude(self, database: Database) -> TargetDrift:
        """Judges, writes down, tells."""
        with database.read() as connection:
            busy = self._busy(connection)
            found = [one for one in self.found if one.object not in busy]
            held = self._held(found)
            rows = {row.place: row for row in drift.rows(connection, target=self.target)}
            wishes = Wishes(self.context, connection)
            about: list[Found | LeftRow] = [*found, *rows.values()]
            people = {one.person for one in about if one.person is not None}
            wishes.load(people, {one.group for one in about if one.group is not None})
            policies = Policies(self.context.ruleset, self.target, wishes, load_doubts(connection))
            outcomes = {_place(one): policies.outcome(one, rows.get((self.target, *_place(one)))) for one in found}
        if not (self.terms.dry_run or (held and self.terms.believe is None)):
            with database.write() as connection:
                found = self._write(connection, found, outcomes, wishes)
            held = ()
        shown = [one for one in found if outcomes[_place(one)] in {"overwrite", "report"}]
        with database.read() as connection:
            left = sum(row.accepted_at is None for row in drift.rows(connection, target=self.target))
        return TargetDrift(
            target=self.target,
            compared=self.comparison.compared,
            counts=_counts(shown),
            drifts=tuple(self._shown(one, outcomes[_place(one)], wishes) for one in shown[:MOST_LISTED]),
            held=held,
            left=left,
            incremental=bool(self.comparison.partial),
            superseded=self.superseded,
            protected=self.protected,
        )

    def _busy(self, connection: Connection) -> set[str]:
        late = _on_their_way(self.context, connection, self.target)
        return {*self.early, *late, *_delivered_since(connection, self.target, self.began)}

    # ------------------------------------------------------------ the brake

    def _held(self, found: Iterable[Found]) -> tuple[str, ...]:
        """Why so much cannot be believed."""
        brake = self.context.loaded.settings.brakes.drift
        reasons = []
        counts = Counter((one.kind, one.what, one.name) for one in found)
        for (kind, what, name), number in sorted(counts.items()):
            population = self.known.population(kind)
            allowed = brake.allowed(population)
            if what == MISSING and kind in {Kind.ACCOUNT, Kind.GROUP} and population > 1:
                allowed = min(allowed, population - 1)
            if number > allowed:
                about = f"{what} {name}".strip()
                reasons.append(f"{kind}: {about}: {number} of {population}, at most {allowed} are believed at once")
        return tuple(reasons)

    # ------------------------------------------------------------ what is written

    def _write(
        self,
        connection: Connection,
        found: Sequence[Found],
        outcomes: Mapping[tuple[str, str, str], Outcome | None],
        wishes: Wishes,
    ) -> list[Found]:
        """Puts known state right and notes what is left alone; returns what was not overtaken meanwhile."""
        self.context.queue.hold_up(connection)  # from here on no worker writes down what it has delivered
        busy = self._busy(connection)
        if self.terms.believe is not None and self._held(found):
            self._note_believed(connection)
        found = [one for one in found if one.object not in busy]
        by_outcome: dict[Outcome | None, list[Found]] = {}
        for one in found:
            by_outcome.setdefault(outcomes[_place(one)], []).append(one)
        reported = by_outcome.get("report", [])
        taken = [one for outcome in ("overwrite", "accepted", "unheard") for one in by_outcome.get(outcome, ())]
        # An account that is missing stays known, so that it is known again if somebody brings it back.
        taken += [one for one in reported if one.what != MISSING or one.kind is not Kind.ACCOUNT]
        again = self._supersede(connection, [*taken, *reported]) | self._note_protected(connection, busy)
        mirror = Mirror(self.context, connection, self.target, self.terms.run_id)
        mirror.take(taken, by_outcome.get("own", ()), again)
        rows = {row.place: row for row in drift.rows(connection, target=self.target)}
        put_back = by_outcome.get("overwrite", ())
        drift.remove(connection, ((self.target, *_place(one)) for one in put_back))
        drift.add(connection, (self._row(one, rows.get((self.target, *_place(one)))) for one in reported))
        self._end_rows(connection, wishes, busy)
        if len(found) == len(self.found):  # else the next reading must see again what was left out by this one
            keep_tokens(connection, self.target, self.ended)
        return found

    def _supersede(self, connection: Connection, found: Sequence[Found]) -> set[str]:
        """Drops what is stuck and stands on what is not so; returns who is to be looked at again for it."""
        subjects = {one.subject for one in found}
        gone = {one.object for one in found if one.what == MISSING}
        stuck = standing(connection, self.context.queue, self.target).stuck
        self.superseded, again = supersede(connection, self.context.queue, stuck, subjects=subjects, gone=gone)
        return again

    def _note_protected(self, connection: Connection, busy: Collection[str]) -> set[str]:
        """Notes what the target itself protects by now, or no more; returns whom the next plan is to look at for it."""
        there = [(kind, one, flag) for kind, one, flag in self.comparison.protected if one.key not in busy]
        at = self.context.clock.now().isoformat()
        entries: list[AuditEntry] = []
        for flag in (True, False):
            found = [(kind, one.name) for kind, one, is_protected in there if is_protected is flag]
            note_protected(connection, self.target, found, protected=flag)
            entries += audited(
                found, protected=flag, target=self.target, at=at, actor=BY_HAND, run_id=self.terms.run_id
            )
        append_audit(connection, self.context.vault, entries)
        self.protected = sum(flag for _, _, flag in there)
        return {one.name if kind is Kind.ACCOUNT else one.key for kind, one, _ in there}

    def _row(self, one: Found, before: LeftRow | None) -> LeftRow:
        return LeftRow(
            id=0,
            target=self.target,
            kind=one.kind,
            object=one.object,
            what=one.what,
            name=one.name,
            person=one.person,
            group=one.group,
            former=before.former if before else one.former,
            present=one.present,
            found_at=before.found_at if before else self.context.clock.now().isoformat(timespec="seconds"),
        )

    def _end_rows(self, connection: Connection, wishes: Wishes, busy: Collection[str]) -> None:
        """Takes out what is not left alone any more: it is as the rules say, or was put back, or is gone."""
        rows = [row for row in drift.rows(connection, target=self.target) if row.object not in busy]
        wishes.refresh(connection)
        met = self.comparison.all_met
        drift.remove(connection, [row.place for row in rows if is_over(row, wishes, met)])

    def _note_believed(self, connection: Connection) -> None:
        detail = msgspec.msgpack.encode({"reason": self.terms.believe})
        now, name = self.context.clock.now().isoformat(), f"{self.target}.drift"
        entry = AuditEntry(now, self.terms.run_id, self.context.actor, None, "hold", "release", name, None, detail)
        append_audit(connection, self.context.vault, [entry])

    # ------------------------------------------------------------ what is told

    def _shown(self, one: Found, outcome: Outcome | None, wishes: Wishes) -> Drift:
        return Drift(
            kind=one.kind,
            object=one.object,
            what=one.what,
            name=one.name,
            outcome=outcome or "overwrite",
            known=shown(one.former),
            present=shown(one.present),
            desired=shown(wishes.value(self.target, one)),
        )


def shown(value: Value) -> Any:
    """A value for people to read."""
    return _HIDDEN if isinstance(value, Sealed) else value


def _place(one: Found) -> tuple[str, str, str]:
    return one.object, one.what, one.name
