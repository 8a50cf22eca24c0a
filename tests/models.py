"""Tiny models, one per format, and the parts that tests of models share."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from engine import changes, registry
from engine.architectures import architecture_named, folder, spec_for
from engine.data.drawn import DrawnSamples
from engine.data.model import Samples
from engine.files import hash_path, size_of
from engine.options import read
from engine.records import dump, parse
from engine.types import Artifact, Change, Feed, Model, RunnerOptions, Signature, TensorSpec
from engine.verify.model import Thresholds, Verification

BERT = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "hidden_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "vocab_size": 99,
}
GPT2 = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "n_embd": 32,
    "n_layer": 1,
    "n_head": 2,
    "n_positions": 64,
    "vocab_size": 99,
    "bos_token_id": 0,
    "eos_token_id": 0,
}
LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 64,
    "vocab_size": 300,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "tie_word_embeddings": False,
}


@dataclass
class TaskFolder:
    """A Context with a folder of its own, which remembers what was said."""

    out: Path
    said: list[tuple[str, float | None]] = field(default_factory=list)

    text: str = ""

    def progress(self, message: str, fraction: float | None = None, *, text: str = "") -> None:
        self.said.append((message, fraction))
        self.text += text


def task_folder(path: Path) -> TaskFolder:
    path.mkdir(parents=True, exist_ok=True)
    return TaskFolder(path)


def artifact(format: str, path: Path, signature: Signature) -> Artifact:
    return Artifact(
        path.as_posix().rsplit("/", 1)[-1], format, path, hash_path(path), size_of(path), signature
    )


def state_dict(architecture: str, config: Mapping[str, Any] | None = None, seed: int = 0) -> Any:
    """Seeded weights of an architecture."""
    import torch

    spec = spec_for(architecture, config)
    torch.manual_seed(seed)
    return architecture_named(architecture).build(spec.config).eval().state_dict()


def eager(
    path: Path,
    architecture: str = "digits",
    config: Mapping[str, Any] | None = None,
    change: Callable[[Any], Any] = lambda tensor: tensor,
) -> Artifact:
    """A seeded eager model in the folder ``path``; ``change`` is applied to its float weights."""
    weights = {
        name: change(tensor) if tensor.is_floating_point() else tensor
        for name, tensor in state_dict(architecture, config).items()
    }
    signature, _ = folder.write(path, spec_for(architecture, config), weights)
    return artifact("torch", path, signature)


def language_model(path: Path, **config: Any) -> Artifact:
    """A seeded Llama with a SentencePiece tokenizer of its own, in the folder ``path``."""
    model = eager(path, "transformers", {**LLAMA, **config})
    (path / "tokenizer.model").write_bytes(sentencepiece_model())
    return artifact("torch", path, model.signature)


@cache
def sentencepiece_model() -> bytes:
    """A tokenizer of 300 pieces, bytes included, trained on a few sentences."""
    import sentencepiece

    made = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(
            [
                "the cat sat on the mat and the dog ran after the cat",
                "a model is weighed where it will serve, and not where it was made",
            ]
        ),
        model_writer=made,
        vocab_size=LLAMA["vocab_size"],
        model_type="bpe",
        byte_fallback=True,
        normalization_rule_name="identity",
        num_threads=1,
        minloglevel=2,
    )
    return made.getvalue()


OWN_TINY: dict[str, Callable[[Path], Artifact]] = {"gguf": language_model}
"""The eager model a format's contract is tested on, where that cannot be the digits net."""


OWN_OPTIONS: dict[str, dict[str, Any]] = {"fp16": {"anyway": True}, "bf16": {"anyway": True}}
"""Options a pass needs to be done on any machine."""


def tiny(format: str, out: Path) -> Artifact:
    """A small eager model that ``format`` can be made from."""
    return OWN_TINY.get(format, eager)(out)


def changed(
    source: Artifact, change: Change, out: Path, samples: Samples, target: str = ""
) -> Artifact:
    """``source`` after one pass, done as the convert task does it on the way to ``target``."""
    made = changed_step(source, change, out, samples, target)
    path = out / f"model{registry.format_named(source.format).suffix}"
    return replace(artifact(source.format, path, made.signature), passes=(change,))


def changed_step(
    source: Artifact, change: Change, out: Path, samples: Samples | None = None, target: str = ""
) -> registry.Conversion:
    """What a pass says of itself; it writes into the folder ``out``."""
    known = changes.pass_named(change.name)
    asked = read(known.options, change.options, known.label)
    out.mkdir(parents=True)
    path = out / f"model{registry.format_named(source.format).suffix}"
    given = changes.Given(
        samples or DrawnSamples(source.signature, 4), lambda message, fraction=None: None, target
    )
    return changes.handler(change.name, source.format)(source, path, asked, given)


def converted(source: Artifact, target: str, out: Path, **options: Any) -> Artifact:
    """``source`` as a ``target``, along the route of the registry."""
    for start, stop in registry.route(source.format, target) if source.format != target else ():
        out.mkdir(parents=True, exist_ok=True)
        spec = registry.format_named(stop)
        path = out / f"{stop}{spec.suffix}"
        asked = spec.options(**options) if stop == target else spec.options()
        made = registry.edge(start, stop)(source, path, asked)
        source = artifact(stop, path, made.signature)
    return source


def infer(model: Artifact, feed: Feed, **options: Any) -> dict[str, np.ndarray]:
    with registry.open_runner(model, RunnerOptions(**options)) as runner:
        return runner.infer(feed)


def onnx_model(
    path: Path,
    nodes: list[tuple[Any, ...]],
    constants: Mapping[str, np.ndarray] | None = None,
    shape: tuple[int | str, ...] = ("batch", 4),
) -> Artifact:
    """An ONNX file from ``(operator, inputs, outputs[, attributes])``, from ``x`` to ``y``."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    graph = helper.make_graph(
        [helper.make_node(n[0], n[1], n[2], **(n[3] if len(n) > 3 else {})) for n in nodes],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(value, name) for name, value in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    spec = TensorSpec("x", "float32", shape), TensorSpec("y", "float32", shape)
    return artifact("onnx", path, Signature(spec[:1], spec[1:]))


def verified(
    original: Artifact, candidate: Artifact, work: Path, thresholds: Thresholds | None = None
) -> Verification:
    """Both tasks, as the pipeline asks for them."""
    from engine.tasks import reference, verify

    out = task_folder(work / "reference")
    reference.run({"artifact": dump(original), "seed": 1, "batches": [1, 2, 3, 7]}, out)
    request = {
        "artifact": dump(candidate),
        "reference": str(out.out),
        "thresholds": dump(thresholds or Thresholds()),
        "seed": 1,
    }
    result = verify.run(request, task_folder(work / "verify"))
    return parse(Verification, result["verification"])


def stored_writer(home: Path, layers: int = 2, context: int = 128) -> Model:
    """A small GGUF model that writes nonsense, in the store, its file in the folder ``home``."""
    from engine import store
    from engine.samples.llama7b import TYPES, Shape, make

    home.mkdir(parents=True, exist_ok=True)
    shape = Shape(layers, width=256, inner=512, heads=4, vocabulary=3000, context=context)
    make(shape, TYPES["Q8_0"], home / "model.gguf", lambda *_: None)
    form = registry.format_named("gguf")
    assert form.read_signature is not None
    made = artifact("gguf", home / "model.gguf", form.read_signature(home / "model.gguf"))
    parameters, operators, facts = form.describe(made.path)
    own = replace(made, id="writer-original", variant="Q8_0")
    created = "2026-01-01T00:00:00+00:00"
    model = Model(
        "writer", "Writer", "gguf", own, "carried", parameters, operators, facts, (), (), created
    )
    store.models.save(model)
    return model
