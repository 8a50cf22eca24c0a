"""What may be announced: so many unfinished uploads and bytes, and room on the disk for them."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.errors import UploadError
from engine.settings import settings

if TYPE_CHECKING:
    from engine.sources.uploads import Upload

_TRY_AGAIN_S = 30


def check(size: int, by: str, unfinished: int, known: Sequence[Upload]) -> None:
    """Refuse one more of ``size`` bytes where unfinished ones are too many, or announce too much.

    ``by`` is whose it is; empty where nobody counts. ``known`` are the unfinished ones of which it
    is known what they announced. Raises UploadError 429.
    """
    here = settings()
    if unfinished >= here.unfinished_uploads:
        raise _over(
            f"{unfinished:,} uploads are unfinished; Assay takes up to "
            f"{here.unfinished_uploads:,} at a time.",
            "ASSAY_UNFINISHED_UPLOADS",
        )
    own = [upload.size for upload in known if by and upload.by == by]
    if by and len(own) >= here.unfinished_each:
        raise _over(
            f"{here.unfinished_each:,} of your uploads are unfinished, the most at a time.",
            "ASSAY_UNFINISHED_EACH",
        )
    if by and sum(own) + size > _share():
        raise _over(
            f"Your unfinished uploads announce {sum(own):,} bytes; with the {size:,} of this one "
            f"they would be over the {_share():,} that one person may.",
            "ASSAY_UNFINISHED_GIB",
        )
    announced = sum(upload.size for upload in known)
    if announced + size > here.unfinished_bytes:
        raise _over(
            f"Unfinished uploads announce {announced:,} bytes; with the {size:,} of this one they "
            f"would be over the {here.unfinished_bytes:,} Assay takes at a time.",
            "ASSAY_UNFINISHED_GIB",
        )


def check_disk(size: int, pending: int) -> None:
    """Refuse what would bring the disk below its floor once all that is pending has arrived.

    Raises UploadError 507.
    """
    free = shutil.disk_usage(settings().uploads_dir).free - settings().free_floor_bytes
    if size > free - pending:
        raise UploadError(
            f"The disk has room for {max(0, free - pending):,} more bytes, not for {size:,}.",
            status=507,
            hint="Delete old models and reports, or lower ASSAY_FREE_FLOOR_GIB.",
        )


def _share() -> int:
    """What one person may announce: half of the room, so that nobody takes it all."""
    room = settings().unfinished_bytes
    return max(room // 2, min(room, settings().max_upload_bytes))


def _over(what: str, setting: str) -> UploadError:
    return UploadError(
        what,
        status=429,
        hint=f"Finish or remove one, or raise {setting}. They expire in a day.",
        retry_after_s=_TRY_AGAIN_S,
    )
