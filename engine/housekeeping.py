"""The shell's commands that keep a library: backup, restore, clean."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from engine.errors import BadRequest
from engine.jobs import locks
from engine.reports import words
from engine.settings import GIB, settings
from engine.store import cleaning
from engine.store.backup import Backup, backup, restore
from engine.terminal import print_table


def add_commands(commands: Any) -> None:
    """Put the three among the commands of the shell."""
    for name, help_, command in (
        ("backup", "write everything that is kept into one file, while Assay runs", _backup),
        ("restore", "put such a file where no library is yet", _restore),
    ):
        keeping = commands.add_parser(name, help=help_)
        keeping.add_argument("file", type=Path, metavar="FILE")
        keeping.set_defaults(command=command)
    clean = commands.add_parser("clean", help="delete what no report and no open job speaks of")
    clean.add_argument("--days", type=float, default=None, metavar="N", help="older than N days")
    clean.add_argument("--keep-gib", type=float, default=None, metavar="N", help="down to N GiB")
    clean.add_argument("--dry-run", action="store_true", help="only say what would go")
    clean.set_defaults(command=_clean)


def _backup(asked: argparse.Namespace) -> int:
    return _said(backup(asked.file, _progress), "Kept", f"in {asked.file}")


def _restore(asked: argparse.Namespace) -> int:
    if locks.held(locks.host_lock()):
        raise BadRequest("Assay is running on that data folder.", hint="Stop it first.")
    return _said(restore(asked.file, _progress), "Restored", f"into {settings().data_dir}")


def _clean(asked: argparse.Namespace) -> int:
    here = settings()
    days = here.keep_days if asked.days is None else asked.days
    most = here.quota_bytes if asked.keep_gib is None else int(asked.keep_gib * GIB)
    if not days and not most:
        raise BadRequest(
            "Nothing says what may go.",
            hint="Give --days N or --keep-gib N, or set ASSAY_KEEP_DAYS or ASSAY_QUOTA_GIB.",
        )
    items = cleaning.unneeded(days or float("inf"), most)
    rows = tuple((one.kind, one.name, one.since[:10], words.size(one.size_bytes)) for one in items)
    print_table("May go" if asked.dry_run else "Deleted", ("Kind", "Name", "Since", "Size"), rows)
    freed = sum(one.size_bytes for one in items) if asked.dry_run else cleaning.remove(items)
    sys.stdout.write(f"{words.size(freed)} {'would be' if asked.dry_run else 'are'} free again.\n")
    return 0


def _said(found: Backup, verb: str, where: str) -> int:
    held = ", ".join(f"{count} {name}" for name, count in found.counts.items())
    sys.stderr.write("\r\x1b[K")
    sys.stdout.write(f"{verb} {held} ({words.size(found.size_bytes)}) {where}.\n")
    return 0


def _progress(doing: str, share: float) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{share:4.0%} {doing[:70]}")
        sys.stderr.flush()
