"""Eager PyTorch: the reference. A folder of architecture, weights and signature, run as written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Self

from engine.architectures import folder
from engine.errors import BadRequest
from engine.lazy import Requirement, require
from engine.registry import Format
from engine.tensors import ModuleRunner, largest, torch_errors
from engine.types import Artifact, RunnerOptions

_ENDLESS = 1 << 20
"""Tokens that a model without positions is taken to see at once."""


def load(path: Path) -> Any:
    """The ``nn.Module``, in eval mode. Raises InvalidModel."""
    with torch_errors("building the model"):
        return folder.build(path)


def open_runner(artifact: Artifact, options: RunnerOptions) -> ModuleRunner:
    """A Runner that calls the module as written; float64 gives the reference's noise floor."""
    kind = _Writes if folder.generates(artifact.path) else ModuleRunner
    return kind(lambda: load(artifact.path), artifact.signature, options)


class _Writes(ModuleRunner):
    """Also writes tokens, by the loop and with the cache that transformers gives its models."""

    def __enter__(self) -> Self:
        super().__enter__()
        config_of = require("transformers").GenerationConfig
        own = next(item for item in self._module.modules() if hasattr(item, "generate"))
        # Whatever the model asks for: every runtime takes the likeliest and stops at no mark.
        own.generation_config = config_of(pad_token_id=0, do_sample=False, use_cache=True)
        self._own = own
        config = own.config.get_text_config()
        self.context_length = int(getattr(config, "max_position_embeddings", None) or _ENDLESS)
        kept = str(own.dtype).removeprefix("torch.")
        self.manner = f"transformers' generate, keys and values kept in {kept}"
        return self

    def write(self, prompt: Sequence[int], count: int, heard: Callable[[int], None]) -> None:
        """Exactly ``count`` tokens, each the likeliest, past any end mark."""
        import torch

        if len(prompt) + count > self.context_length:
            raise BadRequest(
                f"This model sees at most {self.context_length} tokens; "
                f"{len(prompt)} and {count} more are asked for.",
                hint="Shorten the prompt.",
            )
        given = torch.tensor([list(prompt)])
        with torch_errors("writing tokens"), torch.inference_mode():
            self._own.generate(
                given,
                attention_mask=torch.ones_like(given),
                max_new_tokens=count,
                streamer=_Heard(heard),
            )


class _Heard:
    """What transformers tells the tokens to; the first it tells is the prompt."""

    def __init__(self, heard: Callable[[int], None]) -> None:
        self._heard = heard
        self._prompted = False

    def put(self, tokens: Any) -> None:
        """The next token, as a tensor of one."""
        if self._prompted:
            self._heard(int(tokens.item()))
        self._prompted = True

    def end(self) -> None:
        """It has ended; there is nothing to do."""


def describe(path: Path) -> tuple[int | None, dict[str, int], dict[str, str]]:
    """Parameters, how often each leaf module occurs, and facts."""
    module = load(path)
    spec = folder.read_spec(path)
    leaves = (item for item in module.modules() if not any(True for _ in item.children()))
    weights = dict(module.named_parameters())
    dtypes = sorted({str(item.dtype).removeprefix("torch.") for item in weights.values()})
    facts = {"Architecture": spec.architecture, "Weights stored as": ", ".join(dtypes) or "none"}
    return (
        sum(item.numel() for item in weights.values()),
        dict(Counter(type(item).__name__ for item in leaves).most_common()),
        facts | largest(weights),
    )


FORMAT = Format(
    name="torch",
    label="PyTorch (eager)",
    suffix="",
    requires=(Requirement("torch", "torch"), Requirement("safetensors", "safetensors")),
    load=load,
    open_runner=open_runner,
    read_signature=folder.read_signature,
    describe=describe,
    import_module="torch",
    tensor_bytes=folder.tensor_bytes,
)
