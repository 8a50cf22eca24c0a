"""Models that nobody prepared: each to every format it reaches, with the verdict or the sentence.

    .venv/bin/python -m benchmarks.strangers [--only vit,unet] [--to onnx,torchscript]

Small seeded weights in the shapes that transformers' own classes give them, through the same jobs
as a person's model: brought, converted, verified. The tasks run in this one process, so that every
framework is imported once; a minute a model.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from engine import registry, store
from engine.errors import EngineError
from engine.pipeline import ConvertRequest, ImportRequest, convert, import_model
from engine.settings import settings
from engine.types import Target
from tests.engine.sources.steps import StepsHere

SEED = 11
IMAGE = {"image_size": 64, "num_labels": 7}
SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2}
CONFIGS: Mapping[str, Mapping[str, Any]] = {
    "vit": {"model_type": "vit", "architectures": ["ViTForImageClassification"], **IMAGE, **SMALL,
            "hidden_size": 32, "intermediate_size": 64, "patch_size": 8},
    "distilbert": {"model_type": "distilbert",
                   "architectures": ["DistilBertForSequenceClassification"],
                   "dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 64, "vocab_size": 199},
    "mobilenet_v2": {"model_type": "mobilenet_v2", **IMAGE, "depth_multiplier": 0.35,
                     "architectures": ["MobileNetV2ForImageClassification"]},
    "convnext": {"model_type": "convnext", "architectures": ["ConvNextForImageClassification"],
                 **IMAGE, "hidden_sizes": [8, 16, 24, 32], "depths": [1, 1, 2, 1]},
    "gpt2": {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 32,
             "n_layer": 2, "n_head": 2, "n_positions": 128, "vocab_size": 199,
             "bos_token_id": 0, "eos_token_id": 0},
    "whisper-encoder": {"model_type": "whisper", "architectures": ["WhisperEncoder"],
                        "d_model": 32, "encoder_layers": 2, "encoder_attention_heads": 2,
                        "encoder_ffn_dim": 64, "num_mel_bins": 20, "max_source_positions": 50,
                        "decoder_layers": 1, "decoder_attention_heads": 2, "vocab_size": 199,
                        "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
                        "decoder_start_token_id": 1, "begin_suppress_tokens": None},
    "bert": {"model_type": "bert", "architectures": ["BertForTokenClassification"], **SMALL,
             "hidden_size": 32, "intermediate_size": 64, "vocab_size": 199},
    "swin": {"model_type": "swin", "architectures": ["SwinForImageClassification"], **IMAGE,
             "embed_dim": 16, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4},
    "t5": {"model_type": "t5", "architectures": ["T5ForConditionalGeneration"], "d_model": 32,
           "d_kv": 16, "d_ff": 64, "num_layers": 2, "num_heads": 2, "vocab_size": 199,
           "pad_token_id": 0, "decoder_start_token_id": 0, "eos_token_id": 1},
    "wav2vec2": {"model_type": "wav2vec2", "architectures": ["Wav2Vec2ForCTC"], **SMALL,
                 "hidden_size": 32, "intermediate_size": 64, "conv_dim": [16, 16],
                 "conv_stride": [5, 2], "conv_kernel": [10, 3], "num_feat_extract_layers": 2,
                 "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4,
                 "vocab_size": 32},
    "llama": {"model_type": "llama", "architectures": ["LlamaForCausalLM"], **SMALL,
              "hidden_size": 64, "intermediate_size": 128, "num_key_value_heads": 1,
              "vocab_size": 199, "bos_token_id": 1, "eos_token_id": 2},
}  # fmt: skip
UNET = '''"""A U-Net of two levels: what goes down is joined to what comes up."""

import torch
from torch import nn


def block(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, padding=1), nn.GroupNorm(4, outputs), nn.SiLU()
    )


class UNet(nn.Module):
    def __init__(self, width: int = 8, classes: int = 3) -> None:
        super().__init__()
        self.first, self.down = block(3, width), nn.MaxPool2d(2)
        self.second, self.third = block(width, 2 * width), block(2 * width, 4 * width)
        self.up_second = nn.ConvTranspose2d(4 * width, 2 * width, 2, stride=2)
        self.back_second = block(4 * width, 2 * width)
        self.up_first = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)
        self.back_first = block(3 * width, width)
        self.head = nn.Conv2d(width, classes, 1)

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        first = self.first(image)
        second = self.second(self.down(first))
        third = self.third(self.down(second))
        second = self.back_second(torch.cat([self.up_second(third), second], dim=1))
        first = self.back_first(torch.cat([self.up_first(second), first], dim=1))
        return self.head(first)
'''
UNET_INPUT = {"name": "image", "dtype": "float32", "shape": ["batch", 3, "height", "width"]}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one model in one format: a verdict, or the sentence that says why not."""

    model: str
    format: str
    verdict: str
    sentence: str


def write(name: str, home: Path) -> Path:
    """The folder a person would bring: config and weights, or code and weights."""
    import torch

    home.mkdir(parents=True)
    torch.manual_seed(SEED)
    if name == "unet":
        return _write_unet(home)
    from safetensors.torch import save_file

    from engine.architectures import architecture_named

    config = dict(CONFIGS[name])
    module = architecture_named("transformers").build(config)
    (home / "config.json").write_text(json.dumps(config))
    weights = {key: lively(tensor) for key, tensor in module.state_dict().items()}
    save_file(weights, home / "model.safetensors")
    return home


def lively(tensor: Any) -> Any:
    """Weights under which a small net still passes its input on: what it starts with fades out.

    A tensor of its own, because tied weights may not share memory in the file.
    """
    import torch

    if not tensor.is_floating_point() or tensor.dim() < 2:
        return tensor.clone().contiguous()
    fan_in = tensor[0].numel()
    return torch.randn(tensor.shape) * (1.5 / fan_in) ** 0.5


def _write_unet(home: Path) -> Path:
    import torch

    scope: dict[str, Any] = {}
    exec(compile(UNET, "model.py", "exec"), scope)  # noqa: S102 - our own text, above
    (home / "model.py").write_text(UNET)
    (home / "signature.json").write_text(json.dumps({"inputs": [UNET_INPUT]}))
    torch.save(scope["UNet"]().state_dict(), home / "weights.pt")
    return home


def outcomes(
    name: str, folder: Path, wanted: tuple[str, ...], say: Callable[[str], None]
) -> list[Outcome]:
    """Bring a model and take it everywhere."""
    try:
        path = str(write(name, folder / name))
        steps = StepsHere(folder / f"{name}-steps")
        model_id = import_model(steps, ImportRequest("path", path))["model_id"]
    except EngineError as error:
        return [Outcome(name, "–", "not brought", str(error))]
    model = store.models.load(model_id)
    found = []
    for item in model.reach:
        if wanted and item.format not in wanted:
            continue
        say(f"{name} → {item.format}")
        if not item.reachable:
            found.append(Outcome(name, item.format, "no way", item.reason))
            continue
        made = convert(steps, ConvertRequest(model_id, (Target(item.format),)))
        found += [Outcome(name, item.format, "failed", said) for said in made["failures"].values()]
        for artifact_id in made["artifacts"]:
            artifact, verification = store.artifacts.load(artifact_id)
            if verification is not None:
                said = registry.format_named(artifact.format).named(artifact)
                found.append(Outcome(name, said, verification.verdict.value, verification.sentence))
    return found


def main() -> int:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", metavar="vit,unet")
    parser.add_argument("--to", default="", metavar="onnx,torchscript")
    asked = parser.parse_args()
    names = asked.only.split(",") if asked.only else [*CONFIGS, "unet"]
    wanted = tuple(filter(None, asked.to.split(",")))
    with tempfile.TemporaryDirectory() as home:
        os.environ.update(
            {"ASSAY_DATA": f"{home}/data", "ASSAY_MODELS": home, "ASSAY_LOCK_DIR": home,
             "ASSAY_ALLOW_MODEL_CODE": "1"}  # for the U-Net above, which is ours
        )  # fmt: skip
        settings.cache_clear()
        for name in names:
            found = outcomes(name, Path(home) / "brought", wanted, _say)
            for item in found:
                print(f"{item.model:16} {item.format:24} {item.verdict:12} {item.sentence}")
            sys.stdout.flush()
    return 0


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
