"""ONNX: the open graph format, run by ONNX Runtime. A file, or a folder with external data."""

from __future__ import annotations

import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np

from engine.errors import ConversionError, EngineError, InvalidModel, UnsupportedModel
from engine.exporting import (
    DataDependentFlow,
    dynamic_shapes,
    example_tensors,
    export,
    operators_named,
    script,
)
from engine.feeds import check_feed
from engine.files import disk_errors
from engine.lazy import Requirement
from engine.options import choice
from engine.registry import Conversion, Format, converter
from engine.registry import load as load_artifact
from engine.tensors import OUT_OF_MEMORY, first_line
from engine.types import (
    Artifact,
    Dim,
    Feed,
    RunnerOptions,
    Signature,
    Step,
    TensorSpec,
)

_TORCH = Requirement("torch", "torch")
PROTOBUF_LIMIT = 2_000_000_000
"""Bytes above which weights must lie beside the graph: a protobuf ends at 2 GiB."""
LEGACY_OPSET = 20
"""The newest opset the TorchScript-based exporter writes."""


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """What may be chosen about an ONNX file."""

    opset: int = choice(
        20,
        "ONNX opset",
        "The version of ONNX's operator set. 20 is read by every current runtime.",
        low=18,
        high=24,
    )


@contextmanager
def onnx_errors(doing: str) -> Iterator[None]:
    """Turn what onnx and ONNX Runtime raise into InvalidModel or UnsupportedModel."""
    try:
        yield
    except (EngineError, MemoryError):
        raise
    except Exception as error:
        text = _plain(str(error))
        if any(phrase in str(error) for phrase in OUT_OF_MEMORY):
            raise MemoryError(text) from error
        if type(error).__name__ == "NotImplemented":
            raise UnsupportedModel(
                f"ONNX Runtime has no implementation for an operator of this model: {text}",
                hint="Convert with another opset, or keep the model in TorchScript.",
            ) from error
        raise InvalidModel(
            f"ONNX failed while {doing}: {text}",
            hint="Check the file with onnx.checker, and the signature it declares.",
        ) from error


def _plain(text: str) -> str:
    """What ONNX Runtime said, without its error code and its own source lines."""
    text = re.sub(r"^\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text.strip())
    text = re.sub(r"Status Message: \S*\.(?:h|cc):\d+ \S.*?\) ", "Status Message: ", text, count=1)
    return first_line(text.replace("Name:'' ", ""))


def file_of(path: Path) -> Path:
    """The graph: the path itself, or the one ``.onnx`` file in the folder. Raises InvalidModel."""
    if not path.is_dir():
        return path
    found = sorted(path.glob("*.onnx"))
    if len(found) != 1:
        raise InvalidModel(
            f"The folder should hold one .onnx file; it holds {len(found)}.",
            hint="Pack one model with its external data.",
        )
    return found[0]


def load(path: Path) -> Any:
    """The ``onnx.ModelProto``, weights included. Raises InvalidModel."""
    import onnx

    with onnx_errors("reading the file"):
        return onnx.load(str(file_of(path)))


def _graph_only(path: Path) -> Any:
    import onnx

    with onnx_errors("reading the file"):
        return onnx.load(str(file_of(path)), load_external_data=False)


class OnnxRunner:
    """A Runner over an ONNX Runtime session on the CPU: one pool of ``threads``, in order."""

    def __init__(self, artifact: Artifact, options: RunnerOptions) -> None:
        self._artifact = artifact
        self._options = options
        self._session: Any = None

    def __enter__(self) -> Self:
        import onnxruntime

        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = self._options.threads
        settings.inter_op_num_threads = 1
        settings.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
        settings.log_severity_level = 4
        with onnx_errors("loading the model"):
            self._session = onnxruntime.InferenceSession(
                str(file_of(self._artifact.path)), settings, providers=["CPUExecutionProvider"]
            )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._session = None

    def infer(self, feed: Feed) -> dict[str, np.ndarray]:
        """Run once. Raises BadRequest for a wrong feed, InvalidModel when the model fails."""
        signature = self._artifact.signature
        check_feed(feed, signature)
        names = [spec.name for spec in signature.outputs] or [
            output.name for output in self._session.get_outputs()
        ]
        with onnx_errors("running the model"):
            return dict(zip(names, self._session.run(names, dict(feed)), strict=True))


def read_signature(path: Path) -> Signature:
    """Names, dtypes and shapes as the graph declares them; a nameless dynamic axis gets a name."""
    graph = _graph_only(path).graph
    weights = {item.name for item in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    return Signature(
        inputs=tuple(_spec(value) for value in inputs),
        outputs=tuple(_spec(value) for value in graph.output),
    )


def _spec(value: Any) -> TensorSpec:
    import onnx

    tensor = value.type.tensor_type
    known = onnx.helper.get_all_tensor_dtypes()
    dtype = "none"
    if value.type.HasField("tensor_type") and tensor.elem_type in known:
        dtype = str(onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type))
    if dtype not in np.sctypeDict:
        raise UnsupportedModel(
            f"{value.name!r} is a {value.type.WhichOneof('value') or 'value'} of a type "
            "that numpy has no array for.",
            hint="Only models with plain numeric tensors as inputs and outputs are run.",
        )
    dims = tuple(_dim(value.name, axis, dim) for axis, dim in enumerate(tensor.shape.dim))
    return TensorSpec(value.name, dtype, dims)


def _dim(name: str, axis: int, dim: Any) -> Dim:
    if dim.HasField("dim_value"):
        return int(dim.dim_value)
    return str(dim.dim_param) or ("batch" if axis == 0 else f"{name}_{axis}")


def describe(path: Path) -> tuple[int | None, dict[str, int], dict[str, str]]:
    """Parameters (floating weights), how often each operator occurs, and facts."""
    import onnx

    model = _graph_only(path)
    opsets = (f"{item.domain or 'ai.onnx'} {item.version}" for item in model.opset_import)
    facts = {
        "Opset": ", ".join(opsets),
        "IR version": str(model.ir_version),
        "Producer": f"{model.producer_name} {model.producer_version}".strip() or "not said",
    }
    floating = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.DOUBLE)
    weights = {item.name: item for item in model.graph.initializer if item.data_type in floating}
    sizes = {name: int(np.prod(item.dims, dtype=np.int64)) for name, item in weights.items()}
    if sizes:
        name = max(sizes, key=lambda key: sizes[key])
        facts["Largest tensor"] = f"{name} {list(weights[name].dims)}, {sizes[name]:,} values"
    operators = Counter(node.op_type for node in _nodes(model.graph))
    return sum(sizes.values()), dict(operators.most_common()), facts


def _nodes(graph: Any) -> Iterator[Any]:
    """Every node, those inside branches and loops included."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


@converter("torch", "onnx")
def onnx_from_torch(source: Artifact, out: Path, options: OnnxOptions) -> Conversion:
    """torch.export, then ONNX; the TorchScript-based exporter where the first cannot."""
    module = load_artifact(source)
    try:
        program = export(module, source.signature)
        return _from_program(program, source, out, options)
    except DataDependentFlow as error:
        why = f"{error.message} The scripted model was exported instead, with its branches."
        scripted = script(module)
        return _from_module(scripted, source, out, options, why)
    except (ConversionError, UnsupportedModel) as error:
        why = f"The dynamo exporter could not: {error.message} The older exporter was used."
        return _from_module(module, source, out, options, why)


@converter("exported", "onnx")
def onnx_from_exported(source: Artifact, out: Path, options: OnnxOptions) -> Conversion:
    """The dynamo exporter, on a program that torch.export has recorded already."""
    return _from_program(load_artifact(source), source, out, options)


@converter("torchscript", "onnx")
def onnx_from_torchscript(source: Artifact, out: Path, options: OnnxOptions) -> Conversion:
    """The TorchScript-based exporter: the only one that takes a ScriptModule."""
    why = "A TorchScript file goes through the older, TorchScript-based exporter."
    return _from_module(load_artifact(source), source, out, options, why)


def _from_program(program: Any, source: Artifact, out: Path, options: OnnxOptions) -> Conversion:
    import torch

    def write(target: Path) -> None:
        made: Any = torch.onnx.export(
            program,
            dynamo=True,
            # The program has forgotten what its axes were called.
            dynamic_shapes=dynamic_shapes(source.signature),
            opset_version=options.opset,
            verbose=False,
            **_names(source.signature),
        )
        made.save(str(target), external_data=_outgrows(program))

    return _export(write, source, out, Step("export", "torch.onnx (dynamo)", "", {}))


def _from_module(
    module: Any, source: Artifact, out: Path, options: OnnxOptions, why: str
) -> Conversion:
    """With ``dynamo=False``: traces a plain module, keeps the branches of a scripted one."""
    import torch

    signature = source.signature
    opset = min(options.opset, LEGACY_OPSET)

    def write(target: Path) -> None:
        torch.onnx.export(
            module,
            example_tensors(signature),
            str(target),
            dynamo=False,
            opset_version=opset,
            dynamic_axes=_dynamic_axes(signature),
            **_names(signature),
        )

    step = Step("export", "torch.onnx (TorchScript-based)", "", {}, (why,))
    return _export(write, source, out, step)


def _export(write: Callable[[Path], None], source: Artifact, out: Path, step: Step) -> Conversion:
    """Write, check, and say what came of it. Raises UnsupportedModel naming the operators."""
    import onnx

    try:
        with warnings.catch_warnings(), disk_errors():
            warnings.simplefilter("ignore")
            write(out)
    except (EngineError, MemoryError, OSError):
        raise
    except Exception as error:
        raise _inexpressible(error) from error
    with onnx_errors("checking the exported file"):
        onnx.checker.check_model(str(out))
    opset = next(item.version for item in _graph_only(out).opset_import if not item.domain)
    return Conversion(
        replace(source.signature, outputs=_outputs(source.signature, read_signature(out))),
        replace(step, version=_TORCH.version or "", options={"opset": opset}),
    )


def _inexpressible(error: Exception) -> EngineError:
    operators = operators_named(str(error.__cause__ or "") + " " + str(error))
    if operators:
        return UnsupportedModel(
            f"ONNX cannot express this model: it has no form of {operators}.",
            hint="Try TorchScript or torch.export, which keep PyTorch's own operators, "
            "or another opset.",
        )
    return ConversionError(
        f"The ONNX exporter failed: {first_line(str(error.__cause__ or error))}",
        hint="Try TorchScript or torch.export, which keep PyTorch's own operators.",
    )


def _names(signature: Signature) -> dict[str, Any]:
    names: dict[str, Any] = {"input_names": [spec.name for spec in signature.inputs]}
    if signature.outputs:
        names["output_names"] = [spec.name for spec in signature.outputs]
    return names


def _dynamic_axes(signature: Signature) -> dict[str, dict[int, str]]:
    return {
        spec.name: {axis: dim for axis, dim in enumerate(spec.shape) if isinstance(dim, str)}
        for spec in (*signature.inputs, *signature.outputs)
    }


def _outputs(asked: Signature, made: Signature) -> tuple[TensorSpec, ...]:
    """The signature's outputs; the file's own where it had none."""
    return asked.outputs or made.outputs


def _outgrows(module: Any) -> bool:
    weights = (*module.parameters(), *module.buffers())
    return bool(sum(item.numel() * item.element_size() for item in weights) > PROTOBUF_LIMIT)


FORMAT = Format(
    name="onnx",
    label="ONNX",
    runtime="ONNX Runtime",
    suffix=".onnx",
    requires=(
        Requirement("onnx", "onnx"),
        Requirement("onnxruntime", "onnxruntime"),
        Requirement("onnxscript", "onnxscript"),
    ),
    load=load,
    open_runner=OnnxRunner,
    read_signature=read_signature,
    describe=describe,
    import_module="onnxruntime",
    options=OnnxOptions,
)
