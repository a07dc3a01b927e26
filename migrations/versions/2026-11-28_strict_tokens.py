"""Whether a token makes errors of what would be ignored or adjusted.

Revision: 2f60b8d1c93e
Follows: 9d27c4e1b6f8
"""

import sqlalchemy as sa
from alembic import op

revision = "2f60b8d1c93e"
down_revision = "9d27c4e1b6f8"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tokens",
        sa.Column("strict", sa.Boolean(), nullable=False, server_default=sa.text("false")),
    )


def downgrade() -> None:
    op.drop_column("tokens", "strict")
