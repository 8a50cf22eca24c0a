"""Pickle streams, read as text and never run: which imports would this pickle make?

A scan that finds nothing is "no known-bad pattern found", never "safe": the weights are still
loaded with ``weights_only=True`` alone, in a worker.
"""

from __future__ import annotations

import io
import pickletools
import re
from pathlib import Path

from engine.errors import InvalidModel, UnsafeModel
from engine.lazy import require
from engine.sources import archive
from engine.sources.words import one_line

_STREAM_LIMIT = 256 << 20
_PROBE = 64 << 20
_LEGACY_STREAMS = 5
"""torch's file before zips: magic, protocol, system, the object, the storage keys; then bytes."""

_PICKLE_START = re.compile(rb"\x80[\x02-\x05]")
_TEXT_PICKLE_LIMIT = 64 << 10
"""Protocols 0 and 1 begin like anything; what reads as one to its end within this is one."""
_NAMED_LIKE_PICKLES = (".pkl", ".pickle", ".p", ".joblib", ".dill")

# Beyond picklescan's own list: what weights_only=True accepts and cannot call with effect.
_INERT = re.compile(
    r"torch (?:Size|device|Tensor|\w+Storage|bool|u?int\d+|q?u?int\d+x?\d*|b?float\d+|half|double)"
    r"|torch\.storage (?:UntypedStorage|TypedStorage)"
    r"|torch\._utils _rebuild_(?:parameter|tensor|tensor_v2|tensor_v3)"
    r"|torch\.nn\.parameter Parameter"
    r"|(?:__builtin__|builtins) (?:set|bytearray|complex)"
    r"|collections (?:OrderedDict|Counter)"
)
_SCRIPTED = re.compile(r"(?:__torch__(?:\.\S+)?|torch\.jit\._pickle) \S+")
"""Class names inside TorchScript: resolved by its own reader, which imports no Python."""

MODULE_HINT = (
    "Save it in one of three ways instead: torch.save(model.state_dict(), path) and name its "
    "architecture here; torch.jit.script(model).save(path); or torch.export.save(...) / "
    "torch.onnx.export(...)."
)


def check_archive(source: archive.Archive, *, scripted: bool = False) -> int:
    """Scan every pickle in a zip, whatever it is called; gives how many. Raises UnsafeModel."""
    return sum(check_member(source, name, scripted=scripted) for name in source.members)


def check_member(source: archive.Archive, name: str, *, scripted: bool = False) -> bool:
    """Scan one entry of a zip if it is a pickle; gives whether it is. Raises UnsafeModel."""
    with source.open(name) as member:
        start = member.read(_TEXT_PICKLE_LIMIT)
    called, size = name.endswith(_NAMED_LIKE_PICKLES), source.members[name].file_size
    if start.startswith(b"PK\x03\x04"):
        raise UnsafeModel(
            f"The entry {name[:80]!r} is an archive inside the archive.",
            hint="Bring the inner model by itself.",
        )
    if not called and not _looks_pickled(start, name):
        return False
    if called and size > _STREAM_LIMIT:
        raise _too_large(name, size)
    with source.open(name) as member:
        data = member.read(_STREAM_LIMIT if called else _PROBE)
    check_bytes(data, name, scripted=scripted, must_parse=called)
    return True


def _looks_pickled(start: bytes, name: str) -> bool:
    return bool(_PICKLE_START.match(start)) or _end_of_pickle(io.BytesIO(start), name) is not None


def check_legacy(path: Path) -> None:
    """Scan the five pickles at the head of torch's older file format. Raises UnsafeModel."""
    with path.open("rb") as file:
        data = file.read(_STREAM_LIMIT)
    stream = io.BytesIO(data)
    for index in range(_LEGACY_STREAMS):
        start = stream.tell()
        if _end_of_pickle(stream, f"part {index + 1} of the file") is None:
            raise _unreadable(path.name)
        check_bytes(data[start : stream.tell()], "the file", must_parse=True)


def check_bytes(data: bytes, name: str, *, scripted: bool = False, must_parse: bool) -> None:
    """Scan one pickle. Raises UnsafeModel for a finding, and for a scan that failed."""
    scanner = require("picklescan.scanner", "picklescan")
    try:
        result = scanner.scan_pickle_bytes(io.BytesIO(data), name, strict=True)
    except Exception as error:
        # The scanner reads hostile bytes and may fail in any way; failing is itself a finding.
        raise _unreadable(name) from error
    imports = sorted(
        (f"{item.module} {item.name}", item.safety)
        for item in result.globals
        if item.safety is not scanner.SafetyLevel.Innocuous
    )
    bad = [text for text, _ in imports if not _harmless(text, scripted)]
    if bad:
        _refuse(bad, name)
    if must_parse and (result.scan_err or _end_of_pickle(io.BytesIO(data), name) != len(data)):
        raise _unreadable(name)


def _harmless(text: str, scripted: bool) -> bool:
    return bool(_INERT.fullmatch(text) or (scripted and _SCRIPTED.fullmatch(text)))


def _refuse(imports: list[str], name: str) -> None:
    """Say what the pickle would have done: build a module, or run something."""
    modules = [text for text in imports if text.startswith("torch.nn.modules.")]
    scanner = require("picklescan.scanner", "picklescan")
    known_bad = [text for text in imports if _is_known_bad(scanner, text)]
    if modules and not known_bad:
        raise UnsafeModel(
            "This file is a whole pickled model, not just its weights: opening it would run "
            f"Python code of whoever made it (it imports {_dotted(modules[0])}).",
            hint=MODULE_HINT,
        )
    first = _dotted((known_bad or imports)[0])
    raise UnsafeModel(
        f"This file would import {first} when opened ({name[:80]}), which weights never need.",
        hint="It was not opened. Save the weights alone with torch.save(model.state_dict(), path) "
        "or as safetensors.",
    )


def _is_known_bad(scanner: object, text: str) -> bool:
    """Whether picklescan lists this import as dangerous, rather than merely not knowing it."""
    module, _, name = text.partition(" ")
    listed = getattr(scanner, "_unsafe_globals", {})
    parents = (module.rsplit(".", cut)[0] for cut in range(module.count(".") + 1))
    return any(listed.get(parent) == "*" for parent in parents) or name in listed.get(module, ())


def _dotted(text: str) -> str:
    return one_line(text.replace(" ", "."), 120)


def _end_of_pickle(stream: io.BytesIO, name: str) -> int | None:
    """Where the pickle's STOP is; None when it cannot be read to there."""
    try:
        for _ in pickletools.genops(stream):
            pass
    except Exception:
        # pickletools raises ValueError and whatever its decoders raise; all mean "no pickle".
        return None
    return stream.tell()


def _unreadable(name: str) -> UnsafeModel:
    return UnsafeModel(
        f"The pickle in this file cannot be read to its end ({name[:80]}), so nobody can say what "
        "it would do.",
        hint="Save the weights again with torch.save(model.state_dict(), path) or as safetensors.",
    )


def _too_large(name: str, size: int) -> InvalidModel:
    return InvalidModel(
        f"{name[:80]} has {size:,} bytes; a pickle that describes weights has far fewer.",
        hint="Save the weights as safetensors.",
    )
