"""Operators that ONNX itself defines by others: their bodies, for those without a handler.

The body is taken when the node is lowered, for only then are the types known that some bodies
depend on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.formats.savedmodel.table import NAMES
from engine.formats.savedmodel.values import Value


def local_functions(model: Any) -> dict[tuple[str, str], Any]:
    """The functions that the model brings along, by (domain, name)."""
    return {(item.domain, item.name): item for item in model.functions}


def schema_of(domain: str, name: str, opset: int) -> Any:
    """ONNX's own description of an operator; None for one that it does not know."""
    import onnx

    try:
        return onnx.defs.get_schema(name, opset, NAMES.get(domain, domain))
    except onnx.defs.SchemaError:
        return None


def has_body(domain: str, name: str, opset: int) -> bool:
    """Whether ONNX defines the operator by others."""
    schema = schema_of(domain, name, opset)
    return schema is not None and (schema.has_function or schema.has_context_dependent_function)


def body(node: Any, opset: int, inputs: Sequence[Value | None]) -> Any:
    """The FunctionProto that defines this node, for these inputs; None without one."""
    import onnx

    schema = schema_of(node.domain, node.op_type, opset)
    if schema is None:
        return None
    function = onnx.FunctionProto()
    if schema.has_function:
        version = _newest(schema.function_opset_versions, opset)
        function.ParseFromString(schema.get_function_with_opset_version(version))
        return _with_defaults(function, schema)
    if schema.has_context_dependent_function:
        version = _newest(schema.context_dependent_function_opset_versions, opset)
        types = [_type(value) for value in inputs]
        text = schema.get_context_dependent_function_with_opset_version(
            version, node.SerializeToString(), types
        )
        function.ParseFromString(text)
        return _with_defaults(function, schema)
    return None


def _with_defaults(function: Any, schema: Any) -> Any:
    """ONNX keeps the defaults of an operator's attributes in its schema, not in its body."""
    for name, attribute in schema.attributes.items():
        if attribute.default_value.name:
            function.attribute_proto.add().CopyFrom(attribute.default_value)
            function.attribute_proto[-1].name = name
    return function


def defaults_of(function: Any) -> Mapping[str, Any]:
    """The attributes of a function that have a default, as AttributeProtos."""
    return {item.name: item for item in function.attribute_proto}


def _newest(versions: Sequence[int], opset: int) -> int:
    return max((item for item in versions if item <= opset), default=min(versions))


def _type(value: Value | None) -> bytes:
    """As much of type and shape as is known: bodies may depend on both."""
    import onnx

    made = onnx.TypeProto()
    if value is not None:
        kind = onnx.helper.np_dtype_to_tensor_dtype(value.dtype)
        made = onnx.helper.make_tensor_type_proto(kind, value.shape)
    text: bytes = made.SerializeToString()
    return text
