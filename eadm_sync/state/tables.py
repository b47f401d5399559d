"""The tables of the state database, for SQLite and PostgreSQL alike. Migrations in `migrations/` create them.

Dates are ISO text (`2026-08-17`), moments ISO text in UTC: both databases compare and index them alike, and what an
operator reads with a database client is what the shell prints. Tables of short rows are WITHOUT ROWID in SQLite: one
tree instead of two; those with a person's data in each row are not, since wide rows make such a tree deep.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text, TextClause, false, text

metadata = MetaData()

IS_PENDING = text("pending")
IS_ABSENT = text("absent_since IS NOT NULL")
"""Conditions of indexes that hold those rows only: SQLite uses one where a query repeats its condition word for word,
so queries take it from here. Its column stands in the index, too: otherwise SQLite reads each row to see it."""


def only(condition: TextClause) -> dict[str, Any]:
    """What makes an index hold those rows only.

    In PostgreSQL the migrations say so: said here, it would load what SQLAlchemy has for PostgreSQL at every start.
    """
    return {"sqlite_where": condition}


source_records = Table(
    "source_records",
    metadata,
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True),  # the source's own key; "~…" (keyed hash) where that is a national id
    Column("hash", LargeBinary, nullable=False),  # of the raw record with its affiliations: what "changed" means
    Column("person_id", Text, nullable=False),
    Column("data", LargeBinary, nullable=False),  # msgpack of importing's SourcePerson
    Column("absent_since", Text),  # the day it was first missing from a complete import; NULL while present
    Index("source_records_person", "person_id"),
    Index("source_records_absent", "source", "absent_since", **only(IS_ABSENT)),
)

link_keys = Table(
    "link_keys",
    metadata,
    Column("kind", Text, primary_key=True),  # national_id, employee_number, …
    Column("digest", LargeBinary, primary_key=True),  # keyed hash of the value
    Column("source", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Index("link_keys_record", "source", "key"),
    sqlite_with_rowid=False,
)

people = Table(
    "people",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),  # for lists and searches
    Column("data", LargeBinary, nullable=False),  # msgpack of model.Person
    Column("due", Text),  # the next day on which the passing of time alone can change what the person shall have
    Column("pending", Boolean, nullable=False),  # evaluate at the next run whatever the data say (held, postponed)
    Index("people_due", "due"),
    Index("people_pending", "id", "pending", **only(IS_PENDING)),
)

person_orders = Table(
    "person_orders",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),  # stop | extend
    Column("until", Text),  # last day, for extend
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
)

releases = Table(
    "releases",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("hold", Text, nullable=False),
    Column("most", Integer, nullable=False),  # so many changes or absences may pass, as it was shown
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    Column("confirmed_by", Text),  # where a second person has to
    Column("confirmed_at", Text),
    Column("end", Text),  # used, replaced or revoked
    Column("ended_at", Text),
    Column("ended_by", Text),  # id of the run that used it, or who took it back
)

approvals = Table(
    "approvals",
    metadata,
    Column("plan", Text, primary_key=True),  # hash of what is to be approved in the plan
    Column("actor", Text, primary_key=True),
    Column("planned_by", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("at", Text, nullable=False),
    Column("expires_at", Text, nullable=False),
    sqlite_with_rowid=False,
)

units = Table(
    "units",
    metadata,
    Column("source", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),  # msgpack of model.Unit as that source has it
    sqlite_with_rowid=False,
)

class_groups = Table(
    "class_groups",
    metadata,
    Column("source", Text, primary_key=True),
    Column("code", Text, primary_key=True),
    Column("data", LargeBinary, nullable=False),  # msgpack of model.ClassGroup
    sqlite_with_rowid=False,
)

identifiers = Table(
    "identifiers",
    metadata,
    Column("name", Text, primary_key=True),  # of the identifier in the ruleset: "username"
    Column("folded", Text, primary_key=True),  # value in lower case: uniqueness ignores case everywhere
    Column("value", Text, nullable=False),
    Column("person_id", Text, nullable=False),
    Column("allocated_at", Text, nullable=False),
    Index("identifiers_person", "person_id"),
    sqlite_with_rowid=False,
)

reservations = Table(
    "reservations",
    metadata,
    Column("name", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),  # keyed hash of the folded value: the person is forgotten
    Column("until", Text),  # last day, or NULL for ever
    sqlite_with_rowid=False,
)

known_accounts = Table(
    "known_accounts",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("anchor", Text, nullable=False),
    Column("container", Text),
    Column("enabled", Boolean, nullable=False),
    Column("attributes", LargeBinary, nullable=False),  # msgpack; sensitive values as Sealed
    Column("rule", Text, nullable=False),
    Column("ruleset_version", Text, nullable=False),
    Column("deactivated_on", Text),  # the day it was disabled because nothing gives it any more; starts retention
    Column("lost_on", Text),  # the day a plan first found that nothing gives it any more; starts the overlap
    Column("altered", LargeBinary),  # msgpack: attribute → (asked, stored), of what was stored otherwise; NULL: nothing
    Column("protected", Boolean, nullable=False, server_default=false()),  # by the target's own word
    Index("known_accounts_anchor", "target", "anchor", unique=True),
    Index("known_accounts_enabled", "target", "enabled"),  # counted without reading attributes
)

correlations = Table(
    "correlations",
    metadata,
    Column("target", Text, primary_key=True),
    Column("person_id", Text, primary_key=True),
    Column("anchor", Text, primary_key=True),
    Column("decision", Text, nullable=False),  # accept | reject | leave: correlation's Decision
    Column("reason", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("at", Text, nullable=False),
    sqlite_with_rowid=False,
)

former_values = Table(
    "former_values",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("attribute", Text, primary_key=True),
    Column("value", Text, primary_key=True),  # what the account held there before; an alias by the ruleset
    Column("since", Text, nullable=False),  # the local day on which a plan replaced it
    sqlite_with_rowid=False,
)

recycled_accounts = Table(
    "recycled_accounts",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("anchor", Text, nullable=False),
    Column("container", Text),
    Column("attributes", LargeBinary, nullable=False),  # as in known_accounts, and so is the rest
    Column("rule", Text, nullable=False),
    Column("ruleset_version", Text, nullable=False),
    Column("deactivated_on", Text),
    Column("deleted_on", Text, nullable=False),  # the local day on which the target put it into its recycle bin
)

passwords = Table(
    "passwords",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("policy", Text, nullable=False),
    Column("sealed", LargeBinary),  # the password with whose it is, encrypted; NULL once it was destroyed
    Column("made_at", Text, nullable=False),
    Column("run_id", Text),  # the run whose change it was made for
    Column("expires_at", Text, nullable=False),
    Column("sent_at", Text),  # when a target first took it
    Column("shown_at", Text),  # when somebody first read it
    Column("ended_at", Text),
    Column("end", Text),  # used, expired, replaced, refused or destroyed
)

known_groups = Table(
    "known_groups",
    metadata,
    Column("target", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("anchor", Text, nullable=False),
    Column("container", Text),
    Column("attributes", LargeBinary, nullable=False),
    Column("rule", Text, nullable=False),
    Column("ruleset_version", Text, nullable=False),
    Column("altered", LargeBinary),  # as for accounts
    Column("protected", Boolean, nullable=False, server_default=false()),  # by the target's own word
    sqlite_with_rowid=False,
)

known_memberships = Table(
    "known_memberships",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("group_key", Text, primary_key=True),
    Column("role", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("ruleset_version", Text, nullable=False, server_default=""),  # "" where an older program gave it
    Column("lost_on", Text),  # as for accounts
    Index("known_memberships_group", "target", "group_key"),
    sqlite_with_rowid=False,
)

known_nestings = Table(
    "known_nestings",
    metadata,
    Column("target", Text, primary_key=True),
    Column("group_key", Text, primary_key=True),  # the outer group
    Column("member_key", Text, primary_key=True),  # the group that is a member of it
    Column("rule", Text, nullable=False),
    Column("ruleset_version", Text, nullable=False),
    Index("known_nestings_member", "target", "member_key"),
    sqlite_with_rowid=False,
)

known_licences = Table(
    "known_licences",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("sku", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("ruleset_version", Text, nullable=False, server_default=""),  # as for memberships
    Column("lost_on", Text),  # as for accounts
    Index("known_licences_sku", "target", "sku"),
    sqlite_with_rowid=False,
)

drift = Table(
    "drift",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("target", Text, nullable=False),
    Column("object", Text, nullable=False),  # object key, as in the queue
    Column("what", Text, nullable=False),  # attributes, container, enabled, disabled, missing, unexpected, role
    Column("name", Text, nullable=False),  # the attribute, or ""
    Column("kind", Text, nullable=False),
    Column("person_id", Text),  # NULL for groups and their places in others
    Column("group_key", Text),  # of a group, or of the one that is in another; NULL for what is a person's
    Column("former", LargeBinary, nullable=False),  # msgpack: what was known before; of sensitive values hashes only
    Column("present", LargeBinary, nullable=False),  # what the target holds
    Column("found_at", Text, nullable=False),
    Column("accepted_at", Text),  # when it was accepted for good; NULL: somebody has to decide
    Column("accepted_by", Text),
    Column("reason", Text),
    Index("drift_object", "target", "object", "what", "name", unique=True),
    Index("drift_person", "person_id"),
)

doubts = Table(
    "doubts",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("name", Text, primary_key=True),  # group key or product; of an account "", or what it is called
    Column("aspect", Text, primary_key=True),  # enabled, made, container, attributes.title; of a membership the role
    sqlite_with_rowid=False,
)

known_scripts = Table(
    "known_scripts",
    metadata,
    Column("person_id", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("rule", Text, nullable=False),
    Column("owed", LargeBinary),  # msgpack: what is to be run since the account was changed, sealed; NULL: nothing
    Column("owed_by", Integer),  # the queue's item of that change
    Column("item", Integer),  # the queue's item of the last run
    Column("exit_code", Integer),  # of the last run, and so is the rest
    Column("output", LargeBinary),  # msgpack: the end of what it said, sealed
    Column("ran_at", Text),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),  # sorts by time
    Column("command", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("finished_at", Text),
    Column("status", Text, nullable=False),  # running → done, incomplete, declined, failed or interrupted
    Column("report", LargeBinary),  # JSON, for `runs show`
)

plans = Table(
    "plans",
    metadata,
    Column("id", Text, primary_key=True),  # the plan's hash, with the run's id before it
    Column("run_id", Text, nullable=False),
    Column("created_at", Text, nullable=False),
    Column("basis", LargeBinary, nullable=False),  # JSON: what the plan stands on
    Column("summary", LargeBinary, nullable=False),  # JSON: counts per target and action, what is held
)

audit = Table(
    "audit",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Text, nullable=False),
    Column("run_id", Text),
    Column("actor", Text, nullable=False),
    Column("target", Text),
    Column("kind", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("object", Text, nullable=False),
    Column("person_id", Text),
    Column("detail", LargeBinary),  # msgpack: old → new values (sensitive ones sealed), rule, reason; NULL if forgotten
    Column("salt", LargeBinary),  # goes with the detail, so that nobody can try what its digest may have been made of
    Column("detail_digest", LargeBinary, nullable=False),  # salted hash of the detail
    Column("digest", LargeBinary),  # keyed hash over the line before and this one; NULL if older than the chain
    Index("audit_person", "person_id"),
    Index("audit_object", "kind", "object"),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("source", Text, nullable=False),
    Column("kind", Text, nullable=False),  # record | contradiction
    Column("file", Text, nullable=False),
    Column("line", Integer, nullable=False),
    Column("key", Text),
    Column("field", Text),
    Column("reason", Text, nullable=False),
    Column("since", Text, nullable=False),  # first seen
    Index("quarantine_source", "source"),
)

ruleset_versions = Table(
    "ruleset_versions",
    metadata,
    Column("version", Text, primary_key=True),
    Column("applied_at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("files", LargeBinary, nullable=False),  # JSON: path → text
)

jobs = Table(
    "jobs",
    metadata,
    Column("name", Text, primary_key=True),  # as in the configuration's schedule
    Column("started_at", Text),  # of the last time it ran, whoever asked for it
    Column("finished_at", Text),  # NULL while it runs, or where its process died
    Column("status", Text),  # as in runs, or held, or missed
    Column("run_id", Text),
    Column("error", Text),
    Column("succeeded_at", Text),  # when it was last finished without a failure
    Column("due_at", Text),  # the last moment of its schedule that was handled; later ones that passed were missed
    Column("schedule", Text),  # what `due_at` was counted by: with another schedule nothing was missed before
)

job_requests = Table(
    "job_requests",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", Text, nullable=False),
    Column("requested_at", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("started_at", Text),
    Column("finished_at", Text),
    Column("status", Text),  # NULL while it waits or runs; then as in jobs
    Column("run_id", Text),
    Column("error", Text),
)

daemons = Table(
    "daemons",
    metadata,
    Column("name", Text, primary_key=True),  # host:process
    Column("role", Text, nullable=False),  # leader, standby or worker
    Column("version", Text, nullable=False),
    Column("started_at", Text, nullable=False),
    Column("seen_at", Text, nullable=False),  # renewed every few seconds; an old one is of a process that died
)

meta = Table(
    "meta",
    metadata,
    Column("name", Text, primary_key=True),  # "known_version:<target>", "settled:<target>", "evaluated_with"
    Column("value", Text, nullable=False),
)
