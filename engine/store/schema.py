"""The tables. Documents are the truth; the columns beside them serve lists: filter and sort."""

from __future__ import annotations

import sqlalchemy as sa

HEAD = "0004"
"""The revision these tables are at: the newest in ``migrations/versions``."""

metadata = sa.MetaData()


def _owner() -> sa.Column[str]:
    """Who made it: the id of a person; empty for whoever runs this machine."""
    return sa.Column("owner", sa.String(64), nullable=False, server_default="", index=True)


model = sa.Table(
    "model",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("created_at", sa.String(40), nullable=False, index=True),
    sa.Column("document", sa.JSON, nullable=False),
    _owner(),
)

artifact = sa.Table(
    "artifact",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("model_id", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    sa.Column("verification", sa.JSON(none_as_null=True)),
    sa.Column("quality", sa.JSON(none_as_null=True)),
    _owner(),
)

data = sa.Table(
    "data",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("model_id", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
    _owner(),
)

finding = sa.Table(
    "finding",
    metadata,
    sa.Column("subject", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(20), primary_key=True),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Column("document", sa.JSON, nullable=False),
)

job = sa.Table(
    "job",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("handed_over", sa.Boolean, nullable=False, default=False),
    sa.Column("cancel_requested", sa.Boolean, nullable=False, default=False),
    sa.Column("reason", sa.String(40)),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("hint", sa.Text, nullable=False, default=""),
    sa.Column("steps", sa.JSON, nullable=False),
    sa.Column("result", sa.JSON, nullable=False),
    sa.Column("created_at", sa.String(40), nullable=False, index=True),
    sa.Column("started_at", sa.String(40)),
    sa.Column("ended_at", sa.String(40)),
    _owner(),
)

report = sa.Table(
    "report",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("model_name", sa.Text, nullable=False),
    sa.Column("formats", sa.JSON, nullable=False),
    sa.Column("fastest", sa.Text),
    sa.Column("created_at", sa.String(40), nullable=False, index=True),
    sa.Column("document", sa.JSON, nullable=False),
    _owner(),
    sa.Column("for_all", sa.Boolean, nullable=False, server_default=sa.false()),
)

share = sa.Table(
    "share",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("token_sha256", sa.String(64), nullable=False, unique=True),
    sa.Column("report_id", sa.String(64), nullable=False, index=True),
    sa.Column("created_at", sa.String(40), nullable=False),
    sa.Column("expires_at", sa.String(40)),
    sa.Column("revoked_at", sa.String(40)),
    sa.Column("views", sa.Integer, nullable=False, default=0),
    sa.Column("document", sa.JSON, nullable=False),
    _owner(),
)

person = sa.Table(
    "person",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("seen_at", sa.String(40), nullable=False),
)
