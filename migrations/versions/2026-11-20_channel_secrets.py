"""A channel's egress proxy, and the secret that its provider signs callbacks with.

Revision: 7c1e5f0b92ad
Follows: 52e8eddcc3f8
"""

import sqlalchemy as sa
from alembic import op

revision = "7c1e5f0b92ad"
down_revision = "52e8eddcc3f8"
branch_labels = None
depends_on = None

_COLUMNS = ("callback_secret", "proxy")


def upgrade() -> None:
    for name in _COLUMNS:
        op.add_column(
            "channels", sa.Column(name, sa.LargeBinary(), nullable=True, comment="encrypted")
        )


def downgrade() -> None:
    for name in _COLUMNS:
        op.drop_column("channels", name)
