"""A small Llama that knows one thing about English: which word likes to follow which.

Training 27 million weights takes longer than anybody waits for a sample. So the embedding and the
output layer are not trained but computed: together they hold the pair statistics of a text, which
is the best a model can do that looks at one word. The layers between are random and small.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.architectures import ArchitectureSpec, folder, spec_for
from engine.samples import eager, tokenizer
from engine.samples.model import Progress, Sample, SampleModel

CONTEXT = 512
_LOUDNESS = 0.25
"""What a random layer adds, against what is there: enough for its quantization to show."""
_DISCOUNT, _FLOOR, _BIAS = 0.75, 0.3, 0.3

SAMPLES = (
    Sample(
        "llama",
        "Llama",
        "A small language model with its tokenizer, for GGUF and its quantizations. It knows which "
        "word likes to follow which, and nothing else: its sentences wander.",
        {
            "Weights": "word pairs of our own text, computed; the layers between are random",
            "Parameters": "27.3 million",
        },
    ),
)
CONFIG: Mapping[str, Any] = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "vocab_size": tokenizer.SIZE,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 6,
    "num_attention_heads": 8,
    "num_key_value_heads": 8,
    "head_dim": 64,
    "max_position_embeddings": CONTEXT,
    "rms_norm_eps": 1e-6,
    "rope_theta": 10000.0,
    "hidden_act": "silu",
    "tie_word_embeddings": False,
    "bos_token_id": tokenizer.BEGIN,
    "eos_token_id": tokenizer.END,
}
"""Every width is a multiple of 256, so that each K-quant can be used on every matrix."""


def write(sample: Sample, out: Path, progress: Progress) -> SampleModel:
    """Write the torch folder with the tokenizer's files beside the weights."""
    make(spec_for("transformers", CONFIG), out, progress)
    progress("Reading a text it has not seen", 0.95)
    surprise = perplexity(folder.build(out))
    told = f"{surprise:.0f}; guessing would give {tokenizer.SIZE:,}, unseen text"
    return SampleModel({**sample.facts, "Perplexity": told}, (eager.SEEDED,))


def make(spec: ArchitectureSpec, out: Path, progress: Progress) -> None:
    """A Llama of any size: its weights from the fixed seed and the text, its tokenizer."""
    import torch

    module = eager.build(spec)
    torch.set_num_threads(2)
    progress("Counting which word follows which", 0.3)
    embedding, head = _pairs(tokenizer.encode(tokenizer.text()), module.config.hidden_size)
    with torch.no_grad():
        module.get_input_embeddings().weight.copy_(embedding)
        module.get_output_embeddings().weight.copy_(head)
        for layer in module.model.layers:
            _quieten(layer)
    eager.save(module, spec, out, progress)
    tokenizer.write(out, int(module.config.max_position_embeddings))


def perplexity(module: Any) -> float:
    """How unsure it is about the held-out text: as if choosing among so many equal words."""
    import torch

    from engine.texts import held_out

    tokens = torch.tensor([tokenizer.encode(held_out())[:CONTEXT]])
    with torch.inference_mode():
        logits = module(tokens)[0]
    return math.exp(torch.nn.functional.cross_entropy(logits[:-1], tokens[0, 1:]))


def _quieten(layer: Any) -> None:
    """Random weights that keep the size of what passes, and add to it quietly."""
    for name, weight in layer.named_parameters():
        if weight.ndim == 2:
            adds = name.endswith(("o_proj.weight", "down_proj.weight"))
            weight.normal_(0, (_LOUDNESS if adds else 1.0) / math.sqrt(weight.shape[1]))


def _pairs(tokens: list[int], width: int) -> tuple[Any, Any]:
    """(embedding, output layer) whose product gives log p(next | token), as far as fits.

    log p(b | a) is log p(b) where the pair was never seen, and more where it was (absolute
    discounting). The second part is factored; the first needs a dimension of its own, and one
    more makes all rows equally long, since the model's normalisation would make them so anyway.
    """
    import torch

    chance, extra = _statistics(tokens)
    left, size, right = torch.svd_lowrank(extra, q=width - 2, niter=1)
    longest = float((left**2).sum(1).max()) + _BIAS**2
    rest = (longest - _BIAS**2 - (left**2).sum(1, keepdim=True)).clamp(min=0).sqrt()
    embedding = torch.cat([left, torch.full_like(rest, _BIAS), rest], 1)
    head = torch.cat([right * size, chance.log()[:, None] / _BIAS, torch.zeros_like(rest)], 1)
    # Turned at random, no column stands out: blocks of columns share a scale when quantized.
    turn, _ = torch.linalg.qr(torch.randn(width, width))
    scale = math.sqrt(width / longest)
    return embedding @ turn * scale, head @ turn / scale


def _statistics(tokens: list[int]) -> tuple[Any, Any]:
    """(the chance of every token, how much likelier after each token it is, as a logarithm)."""
    import torch

    size = tokenizer.SIZE
    given = torch.tensor(tokens)
    chance = torch.bincount(given, minlength=size) + _FLOOR
    chance = chance / chance.sum()
    # What comes later in the text counts a little more: no two words are exactly as likely.
    weight = torch.linspace(1.0, 1.2, len(tokens) - 1)
    seen = torch.zeros(size, size).index_put_((given[:-1], given[1:]), weight, accumulate=True)
    total = seen.sum(1, keepdim=True)
    kinds = (seen > 0).sum(1, keepdim=True)
    left_over = torch.where(total > 0, _DISCOUNT * kinds / total.clamp(min=1.0), 1.0)
    pair = (seen - _DISCOUNT).clamp(min=0) / total.clamp(min=1.0)
    return chance, torch.log1p(pair / (left_over * chance))
