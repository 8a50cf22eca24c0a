"""Anything transformers has a class for, from its config.json. Never remote code."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Mapping
from inspect import Parameter
from typing import Any

from engine.architecture import Architecture, Config
from engine.errors import BadRequest, UnsupportedModel
from engine.lazy import Requirement, require
from engine.types import Dim, Signature, TensorSpec

_REQUIRES = (Requirement("torch", "torch"), Requirement("transformers", "transformers"))
_NO_DECODER = ("Encoder", "ForAudioClassification")
_CODE_KEYS = ("auto_map", "custom_pipelines", "trust_remote_code")


def _build(config: Config) -> Any:
    """The class the config names, else AutoModel's choice; attention written out for export."""
    require("transformers")
    settings = _settings(config)
    return _class_for(config, settings)(settings)


def _settings(config: Config) -> Any:
    """The config as transformers' own object. Raises BadRequest, UnsupportedModel."""
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise UnsupportedModel(
            f"This config.json is of the model type {kind!r}, which transformers does not know.",
            hint="Models that bring their own code are not run; save the model as torch.export.",
        )
    if "quantization_config" in config:
        raise UnsupportedModel(
            "This config.json asks for quantized weights, which need a back end of their own.",
            hint="Use the unquantized checkpoint; Assay quantizes after converting.",
        )
    plain = {
        key: value
        for key, value in config.items()
        if key not in _CODE_KEYS and not key.startswith(("_attn", "attn_implementation"))
    }
    try:
        settings = CONFIG_MAPPING[kind].from_dict(plain)
    except (TypeError, ValueError, AttributeError) as error:
        raise BadRequest(
            f"transformers cannot read this config.json: {error}",
            hint="Use the config.json that was saved beside the weights.",
        ) from error
    # Fused attention has no ONNX operator; written out, the exporters see plain arithmetic.
    settings._attn_implementation = "eager"
    settings.use_cache = False
    settings.return_dict = True
    return settings


def _class_for(config: Config, settings: Any) -> Any:
    import transformers
    from transformers.models.auto.modeling_auto import MODEL_MAPPING

    named = (config.get("architectures") or [None])[0]
    usual: Any = MODEL_MAPPING.get(type(settings), None)
    usual = usual[0] if isinstance(usual, tuple) else usual
    # Parts of a model (an encoder) are in its own module only.
    places = (transformers, sys.modules[usual.__module__]) if usual else (transformers,)
    for place in places:
        found = getattr(place, named, None) if isinstance(named, str) else None
        if isinstance(found, type) and issubclass(found, transformers.PreTrainedModel):
            return found
    if usual is None:
        raise UnsupportedModel(
            f"transformers has no model for {type(settings).__name__}.",
            hint="Name the model's class in config.json under 'architectures'.",
        )
    return usual


def _signature(config: Config) -> Signature:
    """The inputs the class takes. Its outputs are found by running it."""
    settings = _settings(config)
    found = _class_for(config, settings)
    main = found.main_input_name
    if main == "pixel_values":
        return Signature((_image(settings),))
    if main == "input_features":
        return Signature(_sound(settings, found))
    if main == "input_values":
        # A second of sound at 16 kHz holds as many; half of one is enough to try.
        return Signature((TensorSpec("input_values", "float32", ("batch", 8000)),))
    if main != "input_ids":
        raise UnsupportedModel(
            f"{found.__name__} takes {main!r}, for which Assay proposes no signature yet.",
            hint="Save the model as torch.export (.pt2) or ONNX and bring that.",
        )
    text = settings.get_text_config()
    tokens: tuple[Dim, ...] = ("batch", "sequence")
    inputs = [TensorSpec("input_ids", "int64", tokens, low=0, high=text.vocab_size)]
    if settings.is_encoder_decoder:
        decoder: tuple[Dim, ...] = ("batch", "decoder_sequence")
        inputs.append(
            TensorSpec("decoder_input_ids", "int64", decoder, low=0, high=text.vocab_size)
        )
    elif not found.__name__.endswith(("ForCausalLM", "LMHeadModel")):
        inputs.append(TensorSpec("attention_mask", "int64", tokens, low=1, high=2))
    return Signature(tuple(inputs))


def _generates(config: Config) -> bool:
    """Whether it goes on from tokens alone, by transformers' own loop."""
    settings = _settings(config)
    found = _class_for(config, settings)
    alone = found.main_input_name == "input_ids" and not settings.is_encoder_decoder
    return alone and bool(found.can_generate())


def _image(settings: Any) -> TensorSpec:
    size = getattr(settings, "image_size", None) or 224
    height, width = size if isinstance(size, (list, tuple)) else (size, size)
    channels = getattr(settings, "num_channels", 3)
    return TensorSpec("pixel_values", "float32", ("batch", channels, int(height), int(width)))


def _sound(settings: Any, found: Any) -> tuple[TensorSpec, ...]:
    """Spectrum by time, of the one length that the positions allow; tokens for a decoder."""
    bands = getattr(settings, "num_mel_bins", 80)
    positions = getattr(settings, "max_source_positions", None)
    if not isinstance(positions, int):
        raise UnsupportedModel(
            f"{found.__name__} takes spectra of a length that its config.json does not say.",
            hint="Give the inputs: input_features:float32[batch,bands,frames].",
        )
    # Two convolutions in front, of which the second halves the length.
    features = TensorSpec("input_features", "float32", ("batch", bands, 2 * positions))
    if not settings.is_encoder_decoder or found.__name__.endswith(_NO_DECODER):
        return (features,)
    tokens: tuple[Dim, ...] = ("batch", "decoder_sequence")
    high = settings.get_text_config().vocab_size
    return (features, TensorSpec("decoder_input_ids", "int64", tokens, low=0, high=high))


def _adapt(module: Any, signature: Signature) -> Any:
    """A module that takes tensors in the signature's order and gives its outputs in order."""
    from torch import Tensor, nn

    names = tuple(spec.name for spec in signature.inputs)
    outputs = tuple(spec.name for spec in signature.outputs)

    class ByPosition(nn.Module):
        def __init__(self, model: nn.Module) -> None:
            super().__init__()
            self.model = model

        def forward(self, *tensors: Tensor) -> Any:
            given = dict(zip(names, tensors, strict=True))
            result: Mapping[str, Any] = self.model(**given)
            if not outputs:
                return {name: item for name, item in result.items() if isinstance(item, Tensor)}
            picked = tuple(result[name] for name in outputs)
            return picked[0] if len(picked) == 1 else picked

    # Exporters read the inputs' names from here; a plain *tensors would lose them. The type of a
    # function knows no such attribute, though any may have it.
    kind = Parameter.POSITIONAL_OR_KEYWORD
    taken = [Parameter(name, kind) for name in ("self", *names)]
    ByPosition.forward.__signature__ = inspect.Signature(taken)  # type: ignore[attr-defined]  # what torch.export reads
    return ByPosition(module)


def _named(name: str, label: str, **config: Any) -> Architecture:
    return Architecture(
        name, label, _build, _signature, config, _adapt, _REQUIRES, generates=_generates
    )


ARCHITECTURES = (
    Architecture(
        "transformers",
        "transformers: any model, by its config.json",
        _build,
        _signature,
        {},
        _adapt,
        _REQUIRES,
        needs_config=True,
        generates=_generates,
    ),
    _named(
        "vit_base",
        "ViT-Base (patch 16, 224)",
        model_type="vit",
        architectures=["ViTForImageClassification"],
        id2label={str(index): f"LABEL_{index}" for index in range(1000)},
        label2id={f"LABEL_{index}": index for index in range(1000)},
    ),
    _named("bert_base", "BERT-Base", model_type="bert", architectures=["BertModel"]),
    _named(
        "distilbert_base",
        "DistilBERT-Base",
        model_type="distilbert",
        architectures=["DistilBertModel"],
    ),
    _named("gpt2", "GPT-2", model_type="gpt2", architectures=["GPT2LMHeadModel"]),
)
