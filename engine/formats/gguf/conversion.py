"""From an eager language model with its tokenizer to a GGUF file of any type, in one request."""

from __future__ import annotations

import tempfile
from pathlib import Path

from engine import processor
from engine.architectures import folder, surgery
from engine.errors import EngineError, UnsupportedModel
from engine.formats.gguf import converter as llama_converter
from engine.formats.gguf.about import signature_of
from engine.formats.gguf.file import check
from engine.formats.gguf.llama import LLAMA
from engine.formats.gguf.quantizations import QUANTIZATIONS, GgufOptions
from engine.formats.gguf.quantize import quantize, refuse_without_matrix, report_of
from engine.formats.gguf.weighing import weigh
from engine.registry import Conversion, Given, converter
from engine.types import Artifact, Signature, Step

_MASK = "attention_mask"


def fits(artifact: Artifact) -> str | None:
    """Why llama.cpp's converter cannot take this model; None when it may."""
    return _about_signature(artifact.signature) or _about_folder(artifact.path)


def _about_signature(signature: Signature) -> str | None:
    inputs = [spec.name for spec in signature.inputs]
    outputs = [spec.name for spec in signature.outputs]
    talks = inputs[:1] == ["input_ids"] and set(inputs[1:]) <= {_MASK} and outputs == ["logits"]
    if talks and len(signature.outputs[0].shape) == 3:
        return None
    return (
        "GGUF holds language models that say the next token (input_ids in, logits for every token "
        f"out); this one takes {', '.join(inputs) or 'nothing'} and gives "
        f"{', '.join(outputs) or 'nothing'}."
    )


def _about_folder(model: Path) -> str | None:
    try:
        config = folder.read_spec(model).config
    except EngineError as error:
        return error.message
    known = llama_converter.known()
    if not known:
        return (
            "llama.cpp's converter is not in this environment; `make env` puts it there "
            "(scripts/llama_converter)."
        )
    if surgery.read(model) != surgery.Surgery():
        return (
            "This model was changed in a way its config.json cannot say (layers of different "
            "widths, or another precision), and llama.cpp's converter knows nothing else: prune "
            "every layer by the same share, or choose GGUF's own types for the precision."
        )
    named = (config.get("architectures") or [None])[0]
    if named not in known:
        families = ", ".join(sorted(set(known.values())))
        return (
            f"llama.cpp does not know the architecture {str(named)[:60]!r}; it knows "
            f"{len(known)} of these families: {families}."
        )
    if not llama_converter.has_vocabulary(model):
        return (
            "These weights came without their tokenizer, which a GGUF file carries inside: bring "
            "the whole Hugging Face folder (tokenizer.model or tokenizer.json beside the weights)."
        )
    return None


@converter("torch", "gguf", fits=fits, given=True)
def gguf_from_torch(
    source: Artifact, out: Path, options: GgufOptions, given: Given | None = None
) -> Conversion:
    """llama.cpp's converter, then its quantizer where the converter does not write that type."""
    wanted = QUANTIZATIONS[options.type]
    refuse_without_matrix(wanted, options)
    if why := fits(source):
        raise UnsupportedModel(why, hint="Every other format may still take it.")
    direct = llama_converter.OUTPUTS.get(wanted.name)
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        model = scratch / "model"
        llama_converter.lay_out(source.path, model)
        # F32 is what the original is in: nothing is lost before the quantizer looks.
        whole = out if direct else scratch / "whole.gguf"
        llama_converter.convert(model, whole, direct or llama_converter.OUTPUTS["F32"], scratch)
        weighed = weigh(whole, out, wanted, options, given)
        notes = weighed.notes
        if not direct:
            notes = (*quantize(whole, out, wanted, processor.cores(), weighed.matrix), *notes)
    signature, masked = _signature(source, out)
    step = Step(
        verb="convert" if direct else "convert and quantize",
        tool="llama.cpp's convert_hf_to_gguf.py",
        version=LLAMA.version or "",
        options={"type": wanted.name, **weighed.told},
        notes=(*notes, *masked),
    )
    variant = weighed.variant(wanted)
    return Conversion(signature, step, variant, report_of(out, wanted), beside=weighed.beside)


def _signature(source: Artifact, out: Path) -> tuple[Signature, tuple[str, ...]]:
    """The signature of what was made, and a note where it has fewer inputs."""
    rows, length = source.signature.inputs[0].shape
    signature = signature_of(check(out).vocabulary or 0, rows, length)
    if not any(spec.name == _MASK for spec in source.signature.inputs):
        return signature, ()
    return signature, ("The attention_mask is not an input any more: every token counts.",)
