"""Who changed what, from where, why, and what it was before; names of deleted accounts are free.

Revision: c83d1f0a6b24
Follows: 6a8f13d25c70
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "c83d1f0a6b24"
down_revision = "6a8f13d25c70"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "admin_acts",
        sa.Column("origin", sa.Text(), nullable=False, server_default=sa.text("''")),
    )
    op.add_column("admin_acts", sa.Column("reason", sa.Text()))
    op.add_column(
        "admin_acts", sa.Column("before", postgresql.JSONB(), comment="null: it did not exist")
    )
    op.add_column("admin_acts", sa.Column("after", postgresql.JSONB()))
    op.create_table_comment(
        "admin_acts", "What was changed by hand; rows are never changed or deleted."
    )
    op.create_index("admin_acts_subject_id_idx", "admin_acts", ["subject", "id"])
    op.drop_constraint("accounts_name_key", "accounts")
    op.create_index(
        "accounts_name_key",
        "accounts",
        ["name"],
        unique=True,
        postgresql_where=sa.text("removed_at IS NULL"),
    )


def downgrade() -> None:
    op.drop_index("accounts_name_key", "accounts")
    op.create_unique_constraint("accounts_name_key", "accounts", ["name"])
    op.drop_index("admin_acts_subject_id_idx", "admin_acts")
    op.drop_table_comment("admin_acts")
    for name in ("after", "before", "reason", "origin"):
        op.drop_column("admin_acts", name)
