"""Orders about single people, since when somebody has what nothing gives them any more, and a chain of the audit."""

import os

import sqlalchemy as sa
from alembic import op

from eadm_sync.state.auditing import SALT_BYTES, UNCHAINED, commitment, protect

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds a table and columns; what is there stays as it is, and no line of the audit can be changed any more."""
    op.create_table(
        "person_orders",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("until", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "kind"),
    )
    for table in ("known_accounts", "known_groups"):
        op.add_column(table, sa.Column("altered", sa.LargeBinary(), nullable=True))
    for table in ("known_accounts", "known_memberships", "known_licences"):
        op.add_column(table, sa.Column("lost_on", sa.Text(), nullable=True))
    op.create_table(
        "former_values",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("attribute", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("since", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "target", "attribute", "value"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "recycled_accounts",
        sa.Column("person_id", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("anchor", sa.Text(), nullable=False),
        sa.Column("container", sa.Text(), nullable=True),
        sa.Column("attributes", sa.LargeBinary(), nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("ruleset_version", sa.Text(), nullable=False),
        sa.Column("deactivated_on", sa.Text(), nullable=True),
        sa.Column("deleted_on", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("person_id", "target"),
    )
    _create_decisions()
    _chain_audit()


def _create_decisions() -> None:
    """Adds what somebody let go, and what somebody approved."""
    op.create_table(
        "releases",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hold", sa.Text(), nullable=False),
        sa.Column("most", sa.Integer(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Text(), nullable=False),
        sa.Column("confirmed_by", sa.Text(), nullable=True),
        sa.Column("confirmed_at", sa.Text(), nullable=True),
        sa.Column("end", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.Text(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "approvals",
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("planned_by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("at", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("plan", "actor"),
        sqlite_with_rowid=False,
    )


def _chain_audit() -> None:
    """Gives lines of the audit the hash of their detail, and has the database keep them as they are."""
    connection = op.get_bind()
    for name in ("salt", "detail_digest", "digest"):
        op.add_column("audit", sa.Column(name, sa.LargeBinary(), nullable=True))
    last, rows = 0, connection.execute(_DETAILS, {"last": 0}).all()
    while rows:
        salts = [os.urandom(SALT_BYTES) for _ in rows]
        hashed = [
            {"id": row.id, "salt": salt, "digest": commitment(salt, row.detail)}
            for row, salt in zip(rows, salts, strict=True)
        ]
        connection.execute(_HASHED, hashed)
        last = rows[-1].id
        rows = connection.execute(_DETAILS, {"last": last}).all()
    with op.batch_alter_table("audit") as audit:
        audit.alter_column("detail", existing_type=sa.LargeBinary(), nullable=True)
        audit.alter_column("detail_digest", existing_type=sa.LargeBinary(), nullable=False)
    if last:
        connection.execute(sa.text("INSERT INTO meta VALUES (:name, :last)"), {"name": UNCHAINED, "last": str(last)})
    protect(connection)


_DETAILS = sa.text("SELECT id, detail FROM audit WHERE id > :last ORDER BY id LIMIT 5000")
_HASHED = sa.text("UPDATE audit SET salt = :salt, detail_digest = :digest WHERE id = :id")
