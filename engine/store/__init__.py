"""What is remembered, from models and data to reports and shares, on one database URL."""

from engine.store import artifacts, data, findings, jobs, models, reports, shares

__all__ = ["artifacts", "data", "findings", "jobs", "models", "reports", "shares"]
