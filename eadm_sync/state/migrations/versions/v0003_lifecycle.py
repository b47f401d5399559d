"""Orders about single people, and since when somebody has what nothing gives them any more."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Adds a table and columns; what is there stays as it is."""
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
    for table in ("known_accounts", "known_memberships", "known_licences"):
        op.add_column(table, sa.Column("lost_on", sa.Text(), nullable=True))
