"""What was charged, counted without a look at the rows.

Revision: b64e2f8d0a17
Follows: d4a91c7be230
"""

import sqlalchemy as sa
from alembic import op

revision = "b64e2f8d0a17"
down_revision = "d4a91c7be230"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index(
        "entries_charged_idx",
        "entries",
        ["account_id", "token_id"],
        postgresql_include=["micros"],
        postgresql_where=sa.text("kind IN ('settle', 'extra')"),
    )


def downgrade() -> None:
    op.drop_index("entries_charged_idx", table_name="entries")
