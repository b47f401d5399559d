"""Groups in groups, the version that gave a membership or licence, jobs and daemons, and targets that are away."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Adds tables, columns and an index; what is there stays as it is."""
    op.add_column("known_memberships", sa.Column("ruleset_version", sa.Text(), nullable=False, server_default=""))
    op.add_column("known_licences", sa.Column("ruleset_version", sa.Text(), nullable=False, server_default=""))
    op.create_index("audit_object", "audit", ["kind", "object"], unique=False)
    op.create_index("known_accounts_enabled", "known_accounts", ["target", "enabled"], unique=False)
    for name, table, columns, condition in (
        ("source_records_absent", "source_records", ["source", "absent_since"], sa.text("absent_since IS NOT NULL")),
        ("people_pending", "people", ["id", "pending"], sa.text("pending")),
    ):
        op.create_index(name, table, columns, unique=False, sqlite_where=condition, postgresql_where=condition)
    op.create_table(
        "known_nestings",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("group_key", sa.Text(), nullable=False),
        sa.Column("member_key", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("ruleset_version", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("target", "group_key", "member_key"),
        sqlite_with_rowid=False,
    )
    op.create_index("known_nestings_member", "known_nestings", ["target", "member_key"], unique=False)
    op.create_table(
        "jobs",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("succeeded_at", sa.Text(), nullable=True),
        sa.Column("due_at", sa.Text(), nullable=True),
        sa.Column("schedule", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "job_requests",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("job", sa.Text(), nullable=False),
        sa.Column("requested_at", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=True),
        sa.Column("finished_at", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=True),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "daemons",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("started_at", sa.Text(), nullable=False),
        sa.Column("seen_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "queue_circuits",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("opened_at", BIG, nullable=False),
        sa.Column("probe_at", BIG, nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("target"),
    )
