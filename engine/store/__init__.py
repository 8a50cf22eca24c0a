"""What is remembered: models, artifacts, jobs, reports and shares, on one database URL."""

from engine.store import artifacts, jobs, models, reports, shares

__all__ = ["artifacts", "jobs", "models", "reports", "shares"]
