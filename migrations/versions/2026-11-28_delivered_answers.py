"""Whether the answer to a request that may come again was delivered.

Revision: b3f1c86e2d70
Follows: c83d1f0a6b24
"""

import sqlalchemy as sa
from alembic import op

revision = "b3f1c86e2d70"
down_revision = "c83d1f0a6b24"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "idempotency_keys",
        sa.Column(
            "delivered",
            sa.Boolean(),
            comment="the client has the answer; null where that does not count",
        ),
    )
    op.create_index(
        "idempotency_keys_undelivered_idx",
        "idempotency_keys",
        ["account_id", "fingerprint"],
        postgresql_where=sa.text("delivered IS FALSE"),
    )


def downgrade() -> None:
    op.drop_index("idempotency_keys_undelivered_idx", "idempotency_keys")
    op.drop_column("idempotency_keys", "delivered")
