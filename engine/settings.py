"""What an operator can set, read from the environment once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

GIB = 1024**3
_SECRETS = Path(__file__).resolve().parents[1] / ".streamlit" / "secrets.toml"


@dataclass(frozen=True, slots=True)
class Settings:
    """Where things lie and how large they may get.

    ``models_dir`` is the folder whose models may be opened by path; None switches that off.
    ``model_code``: a ``model.py`` that somebody brings may be run.
    ``sandbox``: the tier workers must run in (A, B or C); empty for the strongest that works.
    ``task_memory_bytes``: what one task may take; 0 for nearly all that is free when it begins.
    ``keep_days`` and ``quota_bytes``: what no report speaks of is deleted when it is older, or when
    there is more; 0 for never.
    ``unfinished_uploads`` and ``unfinished_bytes``: how many uploads may be under way or cut, and
    what they may announce together; ``unfinished_each``, how many of one person's.
    ``uploads_at_once``: how many may be received at a time; ``uploads_each``, how many of one
    person's. One that brings fewer than ``upload_least_bytes_s`` bytes a second, having used up its
    patience of ``upload_patience_s`` seconds, is cut; so is a request whose head is not there after
    ``head_patience_s`` seconds.
    ``public_host``: the one Host header that is answered, empty for the names of this machine;
    ``serve`` sets it. ``secrets``: the file that says how people log in, if they do.
    """

    data_dir: Path
    models_dir: Path | None
    database_url: str
    max_upload_bytes: int
    free_floor_bytes: int
    model_code: bool = False
    sandbox: str = ""
    task_memory_bytes: int = 0
    keep_days: float = 0.0
    quota_bytes: int = 0
    unfinished_uploads: int = 64
    unfinished_bytes: int = 64 * GIB
    public_host: str = ""
    secrets: Path = _SECRETS
    unfinished_each: int = 16
    uploads_at_once: int = 32
    uploads_each: int = 4
    upload_least_bytes_s: float = 16_000.0
    upload_patience_s: float = 30.0
    head_patience_s: float = 15.0

    @property
    def jobs_dir(self) -> Path:
        return self.data_dir / "jobs"

    @property
    def models_store(self) -> Path:
        return self.data_dir / "models"

    @property
    def artifacts_dir(self) -> Path:
        return self.data_dir / "artifacts"

    @property
    def data_sets_dir(self) -> Path:
        return self.data_dir / "data"

    @property
    def uploads_dir(self) -> Path:
        return self.data_dir / "uploads"


@cache
def settings() -> Settings:
    """The settings of this process, from ``ASSAY_*`` variables. Clear the cache to read again."""
    data = Path(os.environ.get("ASSAY_DATA", "~/.local/share/assay")).expanduser().resolve()
    models = os.environ.get("ASSAY_MODELS")
    return Settings(
        data_dir=data,
        models_dir=Path(models).expanduser().resolve() if models else None,
        database_url=os.environ.get("ASSAY_DATABASE", f"sqlite:///{data / 'assay.db'}"),
        max_upload_bytes=int(float(os.environ.get("ASSAY_MAX_UPLOAD_GIB", "16")) * GIB),
        free_floor_bytes=int(float(os.environ.get("ASSAY_FREE_FLOOR_GIB", "1")) * GIB),
        model_code=os.environ.get("ASSAY_ALLOW_MODEL_CODE", "").strip() == "1",
        sandbox=os.environ.get("ASSAY_SANDBOX", "").strip(),
        keep_days=float(os.environ.get("ASSAY_KEEP_DAYS", "0")),
        quota_bytes=int(float(os.environ.get("ASSAY_QUOTA_GIB", "0")) * GIB),
        unfinished_uploads=int(os.environ.get("ASSAY_UNFINISHED_UPLOADS", "64")),
        unfinished_bytes=int(float(os.environ.get("ASSAY_UNFINISHED_GIB", "64")) * GIB),
        secrets=Path(os.environ.get("ASSAY_SECRETS", _SECRETS)).expanduser().resolve(),
        public_host=os.environ.get("ASSAY_PUBLIC_HOST", "").strip().lower(),
        unfinished_each=int(os.environ.get("ASSAY_UNFINISHED_EACH", "16")),
        uploads_at_once=int(os.environ.get("ASSAY_UPLOADS_AT_ONCE", "32")),
        uploads_each=int(os.environ.get("ASSAY_UPLOADS_EACH", "4")),
        upload_least_bytes_s=float(os.environ.get("ASSAY_UPLOAD_LEAST_KB_S", "16")) * 1e3,
        upload_patience_s=float(os.environ.get("ASSAY_UPLOAD_PATIENCE_S", "30")),
        head_patience_s=float(os.environ.get("ASSAY_HEAD_PATIENCE_S", "15")),
        task_memory_bytes=int(float(os.environ.get("ASSAY_TASK_MEMORY_GIB", "0")) * GIB),
    )
