"""Who made what, which reports are open to everybody who logs in, and who logged in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision: str | None = "0003"

_OWNED = ("model", "artifact", "data", "job", "report", "share")


def upgrade() -> None:
    """What there is already belongs to whoever runs the machine."""
    for name in _OWNED:
        owner = sa.Column("owner", sa.String(64), nullable=False, server_default="")
        op.add_column(name, owner)
        op.create_index(f"ix_{name}_owner", name, ["owner"])
    for_all = sa.Column("for_all", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("report", for_all)
    op.create_table(
        "person",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("seen_at", sa.String(40), nullable=False),
    )
