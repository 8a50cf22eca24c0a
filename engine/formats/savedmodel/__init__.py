"""TensorFlow SavedModel: made from ONNX by a lowering of our own, run by TensorFlow.

How the lowering is put together:

- ``building``   the converter; ``build(model, signature)`` gives a traced function and its module
- ``support``    which operators of a model have no TensorFlow form, asked before anything else
- ``lowering``   the driver: node by node; ``functions`` gives the bodies of composite operators
- ``values``     one tensor in ONNX's order and/or channels-last; ``weights`` its variables
- ``dims``       arithmetic on shapes, so that what is static stays static
- ``table``      the table from operator to handler; ``layouts`` calls a handler
- ``ops``        the handlers, one file a family
- ``serving``    the signatures of the artifact, ``pictures`` one of them; ``artifact`` reads it,
                 ``running`` runs it, ``packing`` says whether its weights stay as they are,
                 ``again`` saves one from elsewhere with these signatures

How to add an operator: one function in a file of ``ops``::

    @op("Softplus", layout="any")                  # works element by element, in any layout
    def softplus(node: Node, x: Any) -> Any:
        return tf.math.softplus(x)

    @op("CumSum", since=11)                        # tensors in ONNX's order; the default
    def cumsum(node: Node, x: Any, axis: Any) -> Any:
        return tf.cumsum(x, int(node.known(1, "axis")), exclusive=bool(node.get("exclusive", 0)))

    @op("GlobalAveragePool", layout="own")         # Values: it picks the layout it computes in
    def global_average(node: Node, x: Value) -> Value:
        axes = list(range(1, x.rank - 1))
        return Value(last=tf.reduce_mean(x.last(), axes, keepdims=True))

``node.get`` reads an attribute, ``node.known`` an input that must be known at conversion,
``node.subgraph`` a branch or a body; ``raise node.unsupported(why)`` refuses, naming the node. A
new file in ``ops`` is found by itself.
"""

from __future__ import annotations

import importlib
import pkgutil

from engine.formats.savedmodel import again, building, ops
from engine.formats.savedmodel.artifact import describe, read_signature, tensor_bytes
from engine.formats.savedmodel.options import SavedModelOptions
from engine.formats.savedmodel.running import SavedModelRunner, load
from engine.lazy import Requirement
from engine.registry import Format

__all__ = ["FORMAT", "again"]

for _entry in pkgutil.iter_modules(ops.__path__):
    importlib.import_module(f"{ops.__name__}.{_entry.name}")

FORMAT = Format(
    name="savedmodel",
    label="SavedModel",
    runtime="TensorFlow",
    suffix="",
    requires=(building.TENSORFLOW, Requirement("onnx", "onnx")),
    load=load,
    open_runner=SavedModelRunner,
    read_signature=read_signature,
    describe=describe,
    import_module="tensorflow",
    concurrent=True,
    tensor_bytes=tensor_bytes,
    holds_code=True,
    options=SavedModelOptions,
)
