"""Accounts that were in a target before, drift that is left alone, passwords, scripts, and what targets protect."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Adds tables; what is there stays as it is."""
    op.create_table(
        "passwords",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("policy", sa.Text(), nullable=False),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("made_at", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=True),
        sa.Column("expires_at", sa.Text(), nullable=False),
        sa.Column("sent_at", sa.Text(), nullable=True),
        sa.Column("shown_at", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.Column("end", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("person_id"),
    )
    op.create_table(
        "correlations",
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("anchor", sa.Text(), nullable=False),
        sa.Column("decision", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("target", "person_id", "anchor"),
        sqlite_with_rowid=False,
    )
    _create_drift()
    _create_scripts()
    for table in ("known_accounts", "known_groups"):
        op.add_column(table, sa.Column("protected", sa.Boolean(), nullable=False, server_default=sa.false()))
    _create_doubts()


def _create_scripts() -> None:
    """Adds what was run after changes to accounts."""
    op.create_table(
        "known_scripts",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("owed", sa.LargeBinary(), nullable=True),
        sa.Column("owed_by", sa.Integer(), nullable=True),
        sa.Column("item", sa.Integer(), nullable=True),
        sa.Column("exit_code", sa.Integer(), nullable=True),
        sa.Column("output", sa.LargeBinary(), nullable=True),
        sa.Column("ran_at", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("person_id", "target", "name"),
    )


def _create_doubts() -> None:
    """Adds what a target may or may not have done, since no answer came."""
    op.create_table(
        "doubts",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("person_id", "target", "kind", "name", "aspect")),
        sa.PrimaryKeyConstraint("person_id", "target", "kind", "name", "aspect"),
        sqlite_with_rowid=False,
    )


def _create_drift() -> None:
    """Adds what was changed in a target by hand and stays so."""
    op.create_table(
        "drift",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("person_id", sa.Text(), nullable=True),
        sa.Column("group_key", sa.Text(), nullable=True),
        sa.Column("former", sa.LargeBinary(), nullable=False),
        sa.Column("present", sa.LargeBinary(), nullable=False),
        sa.Column("found_at", sa.Text(), nullable=False),
        sa.Column("accepted_at", sa.Text(), nullable=True),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("drift_object", "drift", ["target", "object", "what", "name"], unique=True)
    op.create_index("drift_person", "drift", ["person_id"])
