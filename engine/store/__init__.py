"""What is remembered: models, data, artifacts, jobs, reports, shares, on one database URL."""

from engine.store import artifacts, data, jobs, models, reports, shares

__all__ = ["artifacts", "data", "jobs", "models", "reports", "shares"]
