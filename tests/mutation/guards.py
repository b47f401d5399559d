"""Every guard that keeps one slip from doing harm, how to take it away, and the test that has to notice."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Guard:
    """One guard.

    Attributes:
        name: What it keeps from happening.
        file: Where it stands.
        code: It, as it is written there; once.
        without: What stands there when it is taken away.
        test: The test, or tests, of which at least one must fail then.
    """

    name: str
    file: str
    code: str
    without: str
    test: str


_LEAVERS = "tests/acceptance/test_leavers.py::"
_DRIFT = "tests/acceptance/test_drift.py::"
_WRONG = "tests/acceptance/test_what_goes_wrong.py::"

GUARDS = (
    Guard(
        "a deletion is planned before retention is over",
        "eadm_sync/plan/diff.py",
        "elif delete_on(existing.deactivated_on, settings) <= today:",
        "else:",
        "tests/plan/test_diff.py::test_a_deactivated_account_is_deleted_after_retention_and_not_a_day_before",
    ),
    Guard(
        "retention goes on under somebody who was given the account again",
        "eadm_sync/plan/diff.py",
        "changes += _keep_anew(person_id, account, existing, standing)",
        "pass",
        "tests/simulation/test_stories.py::test_a_return_is_called_off_before_its_first_day",
    ),
    Guard(
        "a deletion is planned of an account that is in use",
        "eadm_sync/plan/diff.py",
        "if existing.enabled or existing.deactivated_on is None:",
        "if existing.deactivated_on is None:",
        "tests/plan/test_diff.py::test_an_enabled_account_is_not_deleted_however_old_its_deactivation",
    ),
    Guard(
        "a deletion is delivered before retention is over",
        "eadm_sync/delivery/guards.py",
        "if today < due:",
        "if False:",
        f"{_LEAVERS}test_a_queued_deletion_is_refused_before_retention_is_over",
    ),
    Guard(
        "a deletion is delivered of an account that is in use",
        "eadm_sync/delivery/guards.py",
        "if account.enabled or account.deactivated_on is None:",
        "if account.deactivated_on is None:",
        "tests/delivery/test_guards.py::test_a_deletion_that_is_not_due_is_refused",
    ),
    Guard(
        "a deletion is delivered of somebody who waits to be looked at again",
        "eadm_sync/delivery/guards.py",
        "if connection.scalar(select(people.pending).where(people.id == person_id)):",
        "if False:",
        f"{_LEAVERS}test_a_queued_deletion_is_refused_while_the_person_waits_to_be_looked_at",
    ),
    Guard(
        "an account is deleted that somebody enabled by hand",
        "eadm_sync/delivery/guards.py",
        "if found.anchor == account.anchor and found.enabled:",
        "if False:",
        f"{_LEAVERS}test_a_queued_deletion_is_refused_where_somebody_enabled_the_account_by_hand",
    ),
    Guard(
        "a group is deleted that somebody is in again",
        "eadm_sync/delivery/guards.py",
        "if connection.scalar(members.limit(1)) is not None:",
        "if False:",
        "tests/delivery/test_guards.py::test_a_group_that_somebody_is_in_again_is_not_deleted",
    ),
    Guard(
        "an account is enabled of somebody who is stopped",
        "eadm_sync/delivery/guards.py",
        'if enables(change) and orders.get(change.person or "", NO_ORDERS).stopped:',
        "if False:",
        "tests/delivery/test_guards.py tests/delivery/test_deliverer.py tests/app/test_persons.py",
    ),
    Guard(
        "the name of somebody who was forgotten is given again",
        "eadm_sync/identifiers.py",
        "if reserved and any(digest in reserved for digest in reservations_of(name, value, self._digest)):",
        "if False:",
        f"{_WRONG}test_06_a_username_outlives_its_owner_and_is_nobody_elses",
    ),
    Guard(
        "two people are given one name",
        "eadm_sync/identifiers.py",
        "if alike(value) in self._taken[name]:",
        "if False:",
        "tests/test_identifiers.py",
    ),
    Guard(
        "too much is changed in a target",
        "eadm_sync/plan/build.py",
        "*braked.holds,",
        "",
        f"{_LEAVERS}test_many_leavers_at_once_are_held_while_joiners_are_served",
    ),
    Guard(
        "too many vanish from a source",
        "eadm_sync/importing/brakes.py",
        "if not (too_many or held):",
        "if True:",
        f"{_LEAVERS}test_many_who_vanish_are_held_before_anything_follows_from_it",
    ),
    Guard(
        "half of an export is believed, where one part of it is held",
        "eadm_sync/importing/brakes.py",
        " or len(parts.rest) > outside",
        "",
        "tests/importing/test_brakes.py::test_an_emptied_part_is_held_by_itself",
    ),
    Guard(
        "a password stands in the configuration",
        "eadm_sync/config/loading.py",
        "(*outside.problems, *clear_texts(document))",
        "outside.problems",
        f"{_WRONG}test_12_a_password_in_the_configuration_is_refused",
    ),
    Guard(
        "a key that was given to another human being hands over the accounts",
        "eadm_sync/importing/importing.py",
        "if is_reused(former, reading.staged.person(key), self._born):",
        "if False:",
        "tests/importing/test_linking.py",
    ),
    Guard(
        "an account that others made is taken for ours",
        "connectors/directory/batch.py",
        'raise AlreadyExists(f"another {kind} has this value", name)',
        "pass",
        f"{_WRONG}test_04_an_account_with_the_same_address_is_not_taken",
    ),
    Guard(
        "an account is adopted that matches somebody else as well",
        "eadm_sync/correlation/matching.py",
        "others = sorted(other for rule, other in rivals[anchor] if other != person and rule <= number)",
        "others = []",
        "tests/correlation/test_matching.py",
    ),
    Guard(
        "an account is adopted though another one matches as well",
        "eadm_sync/correlation/matching.py",
        "if len(free) > 1:",
        "if False:",
        "tests/correlation/test_matching.py",
    ),
    Guard(
        "what a target may have done unheard is not asked for again",
        "eadm_sync/plan/doubting.py",
        "if not doubts:",
        "if True:",
        "tests/plan/test_doubting.py",
    ),
    Guard(
        "a change that was sent unheard is forgotten with its place in the queue",
        "eadm_sync/delivery/doubting.py",
        "note_doubts(connection, _tried(connection, queue, vault, subjects, called))",
        "return",
        "tests/delivery/test_doubting.py",
    ),
    Guard(
        "an account that was made unheard for somebody who has left stays enabled",
        "eadm_sync/app/resolving.py",
        "still = [(case, one) for case, one in seen if self._stands(case)]",
        "still: list[tuple[_Case, RemoteObject | None]] = []",
        "tests/plan/test_unheard.py",
    ),
    Guard(
        "a change that was sent unheard is forgotten when an operator drops it",
        "eadm_sync/app/queueing.py",
        "_note_tried(context, connection, {one.subject for one in asked})",
        "pass",
        "tests/plan/test_unheard.py",
    ),
    Guard(
        "an account that somebody has is taken for one that was made before",
        "eadm_sync/delivery/deliverer.py",
        "yield from self._not_theirs(made) if made else ()",
        "pass",
        "tests/plan/test_unheard.py",
    ),
    Guard(
        "an account that somebody has is taken away by what it says of its owner",
        "eadm_sync/app/resolving.py",
        " and self._is_free(one)",
        "",
        "tests/plan/test_unheard.py",
    ),
    Guard(
        "a group stays in another one, as a target did unheard",
        "eadm_sync/plan/groups.py",
        "        if self.doubts:",
        "        if False:",
        "tests/plan/test_unheard.py",
    ),
    Guard(
        "an account that was deleted by hand comes back enabled out of the recycle bin",
        "connectors/directory/batch.py",
        "entry.state, entry.enabled = LIVE, False",
        "entry.state = LIVE",
        "tests/contract/test_embedded_target.py::TestEmbeddedTarget::test_a_deleted_account_can_be_restored",
    ),
    Guard(
        "half a source takes more than the plan's limit along with one part that is held",
        "eadm_sync/plan/brakes.py",
        "(count >= population or self._passes_outside(beyond))",
        "(count >= population or sum(self._rest.values()) > allowed)",
        "tests/plan/test_brakes.py",
    ),
    Guard(
        "an account is adopted that is known to be somebody's",
        "eadm_sync/correlation/matching.py",
        "if holder is not None:",
        "if False:",
        "tests/correlation/test_matching.py",
    ),
    Guard(
        "an account is adopted that has become somebody's since it was planned",
        "eadm_sync/delivery/protecting.py",
        "if self.connection.execute(query).first() is not None:",
        "if False:",
        "tests/delivery/test_protecting.py",
    ),
    Guard(
        "an account is adopted that has changed since it was planned",
        "eadm_sync/delivery/protecting.py",
        "if not self._is_as_planned(change, remote):",
        "if False:",
        "tests/app/test_correlating.py::test_an_account_that_changed_since_it_was_planned_is_not_adopted",
    ),
    Guard(
        "an account is made for somebody who may have one already",
        "eadm_sync/plan/build.py",
        "desired, known = desired.without({*matched.waiting, *matched.left}), matched.known",
        "known = matched.known",
        "tests/app/test_correlating.py",
    ),
    Guard(
        "a protected account is adopted",
        "eadm_sync/correlation/matching.py",
        "free = sorted(anchor for anchor in sure if self._seen[anchor].protected is None)",
        "free = sorted(sure)",
        "tests/correlation/test_matching.py",
    ),
    Guard(
        "a protected account is changed by a plan",
        "eadm_sync/plan/build.py",
        "changes, left_out = self._protecting.sifted(changes, self._known)",
        "left_out = ()",
        "tests/app/test_correlating.py::test_an_account_that_is_protected_later_is_not_changed_any_more",
    ),
    Guard(
        "a protected account is changed by a delivery",
        "eadm_sync/delivery/protecting.py",
        'refused[item_id] = Stale(f"it is protected: {why}")',
        "pass",
        "tests/delivery/test_protecting.py",
    ),
    Guard(
        "an account is disabled that the target protects",
        "eadm_sync/delivery/protecting.py",
        "if remote.protected:\n            return BY_TARGET",
        "if False:\n            return BY_TARGET",
        "tests/delivery/test_protecting.py",
    ),
    Guard(
        "the name of an account that is not ours is given to somebody",
        "eadm_sync/identifiers.py",
        "self.note(somebody, form.target, held)",
        "pass",
        "tests/app/test_correlating.py::test_a_name_that_a_stranger_has_is_given_to_nobody",
    ),
    Guard(
        "a saved plan is applied though something moved",
        "eadm_sync/app/syncing.py",
        "if made.plan.hash != saved.hash:",
        "if False:",
        "tests/acceptance/test_saved_plans.py::test_a_saved_plan_is_refused_when_something_moved",
    ),
    Guard(
        "a worker that slept finishes what another one took over",
        "exportqueue/statements.py",
        "items.fence == held.c.fence, ",
        "",
        "tests/exportqueue/test_queue.py::test_an_expired_lease_is_taken_over_and_fenced",
    ),
    Guard(
        "somebody is forgotten too early",
        "eadm_sync/app/purging.py",
        "if person not in busy and since <= last:",
        "if person not in busy:",
        "tests/app/test_purging.py::test_nobody_is_forgotten_a_day_too_early",
    ),
    Guard(
        "somebody is forgotten who has an account",
        "eadm_sync/app/purging.py",
        "*(~exists().where(table.c.person_id == person) for table in known),",
        "",
        "tests/app/test_purging.py::test_who_is_not_gone_is_never_forgotten",
    ),
    Guard(
        "a line of the audit is changed",
        "eadm_sync/state/auditing.py",
        "        connection.exec_driver_sql(statement)\n\n\n_FIXED",
        "        pass\n\n\n_FIXED",
        "tests/state/test_auditing.py::test_the_database_refuses_to_change_or_delete_lines",
    ),
    Guard(
        "half a reading of a target is believed",
        "eadm_sync/app/reconciling.py",
        "if not (self.terms.dry_run or (held and self.terms.believe is None)):",
        "if not self.terms.dry_run:",
        "tests/app/test_reconciling.py::test_a_target_that_lost_much_is_not_believed",
    ),
    Guard(
        "what has a change on its way is taken for drift",
        "eadm_sync/app/reconciling.py",
        "return {*self.early, *late, *_delivered_since(connection, self.target, self.began)}",
        "return set()",
        "tests/app/test_reconciling.py::test_what_has_a_change_on_its_way_is_left_out",
    ),
    Guard(
        "what stands on a former state stays in the queue",
        "eadm_sync/app/stuck.py",
        "if item_id in waiting:",
        "if False:",
        f"{_DRIFT}test_an_account_deleted_by_hand_and_then_disabled_by_a_plan_comes_to_an_end",
    ),
    Guard(
        "a program is told of an account that is protected",
        "eadm_sync/delivery/deliverer.py",
        "if change.kind is Kind.SCRIPT and item_id not in refused",
        "if change.kind is Kind.SCRIPT",
        "tests/delivery/test_deliverer.py::test_a_program_that_follows_a_protected_account_is_not_run",
    ),
    Guard(
        "a change is planned to what the target itself protects",
        "eadm_sync/plan/protecting.py",
        "if known is not None and known.protected:",
        "if False:",
        "tests/plan/test_protecting.py::test_all_that_is_about_a_protected_account_is_left_out",
    ),
    Guard(
        "an account that somebody locked is enabled again",
        "eadm_sync/plan/diff.py",
        "if DISABLED in left:",
        "if False:",
        "tests/app/test_reconciling.py::test_an_account_disabled_by_hand_stays_so",
    ),
    Guard(
        "somebody else's address becomes an alias",
        "eadm_sync/plan/hand_made.py",
        "if value in _written_by_hand(connection, person, target, attribute):",
        "if False:",
        f"{_DRIFT}test_an_address_written_by_hand_becomes_no_alias",
    ),
)
