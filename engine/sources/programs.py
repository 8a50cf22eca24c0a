"""The text of a torch.export program, held against what such a text can honestly contain.

Loading one evaluates some of its strings as Python: symbolic sizes, guards, names that end up in
generated code, operators looked up by dotted path. Each is checked here against a small grammar
first. What lies outside is refused, not explained away.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable
from typing import Any

from engine.errors import InvalidModel, UnsafeModel

_NAME = re.compile(r"\w[\w.]*|", re.ASCII)
_WORD = re.compile(r"[\w.:\-+ ]*", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")
_OPERATOR = re.compile(
    r"torch\.ops\.(?:aten|prims|quantized_decomposed)\.\w+(?:\.\w+)?"
    r"|torch\.ops\.higher_order\.(?:cond|while_loop|map_impl|scan|wrap_with_set_grad_enabled"
    r"|wrap_with_autocast)"
    r"|_operator\.(?:add|sub|mul|floordiv|truediv|mod|pow|neg|getitem|eq|ne|lt|le|gt|ge|and_|or_"
    r"|not_|xor|lshift|rshift|pos|abs)"
    r"|math\.(?:ceil|floor|trunc|sqrt|log2|log|exp|pow)"
    r"|torch\.(?:sym_(?:int|float|ite|max|min|not|sqrt|sum)|_sym_sqrt)",
    re.ASCII,
)
_NO_FILES = re.compile(r"torch\.ops\.aten\.from_file\b")
_FUNCTIONS = frozenset(
    [
        "Symbol",
        "Integer",
        "Float",
        "Rational",
        "Add",
        "Mul",
        "Pow",
        "Mod",
        "Max",
        "Min",
        "Abs",
        "And",
        "Or",
        "Not",
        "Eq",
        "Ne",
        "Lt",
        "Le",
        "Gt",
        "Ge",
        "Equality",
        "Unequality",
        "StrictLessThan",
        "LessThan",
        "StrictGreaterThan",
        "GreaterThan",
        "Piecewise",
        "ExprCondPair",
        "FloorDiv",
        "ModularIndexing",
        "Where",
        "PythonMod",
        "CleanDiv",
        "CeilToInt",
        "FloorToInt",
        "CeilDiv",
        "LShift",
        "RShift",
        "PowByNatural",
        "FloatPow",
        "FloatTrueDiv",
        "IntTrueDiv",
        "TruncToFloat",
        "TruncToInt",
        "RoundToInt",
        "RoundDecimal",
        "ToFloat",
        "Identity",
        "IsNonOverlappingAndDenseIndicator",
        "floor",
        "ceiling",
        "sqrt",
    ]
)
_GUARD_FUNCTIONS = _FUNCTIONS | {"int", "float", "bool", "min", "max", "abs", "round", "len"}
_METHODS = frozenset(("size", "stride", "storage_offset", "dim", "numel", "ndim", "shape"))
_ASSUMPTION = re.compile(r"[a-z_]+")
_STRUCTURES = re.compile(
    r"builtins\.(?:tuple|list|dict)|collections\.(?:OrderedDict|deque)"
    r"|transformers\.modeling_outputs\.\w+"
)
_GRAMMAR = (
    ast.Expression, ast.Constant, ast.Name, ast.Load, ast.Call, ast.keyword, ast.UnaryOp, ast.BinOp,
    ast.BoolOp, ast.Compare, ast.operator, ast.unaryop, ast.boolop, ast.cmpop, ast.Tuple,
)  # fmt: skip
_TEXT_LIMIT = 20_000
_DEPTH_LIMIT = 200


def check(text: bytes) -> None:
    """Raise InvalidModel when this is no program, UnsafeModel when it holds more than one does."""
    try:
        program = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidModel(
            "The program inside this .pt2 is not JSON.",
            hint="Save it again with torch.export.save.",
        ) from error
    if not isinstance(program, dict) or "graph_module" not in program:
        raise InvalidModel(
            "The program inside this .pt2 has no graph.",
            hint="Save it again with torch.export.save.",
        )
    _walk(program, "", 0)


def check_payload(text: bytes, where: str) -> None:
    """The list of weights or constants: raise UnsafeModel where one would be unpickled."""
    try:
        config = json.loads(text)["config"]
        entries = dict(config)
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise InvalidModel(
            f"{where} of this .pt2 is damaged.", hint="Save it again with torch.export.save."
        ) from error
    for name, entry in entries.items():
        _expect(_NAME, name, "the name of a weight")
        if not isinstance(entry, dict) or entry.get("use_pickle") is not False:
            raise UnsafeModel(
                f"The weight {name[:80]!r} of this .pt2 is stored as a pickle, which runs code "
                "when opened.",
                hint="Export the model with plain tensors as weights.",
            )
        _walk(entry, "", 0)


def _walk(value: Any, key: str, depth: int) -> None:
    """Every string of the program, each by the rule of its key."""
    if depth > _DEPTH_LIMIT:
        raise UnsafeModel("The program inside this .pt2 is nested too deeply.", hint=_HINT)
    if isinstance(value, dict):
        for inner, item in value.items():
            _expect(_NAME, inner, "a name")
            _walk(item, inner if key != "metadata" else "metadata", depth + 1)
    elif isinstance(value, list):
        for item in value:
            _walk(item, key, depth + 1)
    elif isinstance(value, str):
        if _CONTROL.search(value):
            raise _refused("a text with control characters", value)
        _RULES.get(key, _plain)(value)


def _plain(text: str) -> None:
    _expect(_WORD, text, "a plain word")


def _free(text: str) -> None:
    """Data that is only ever shown or handed on as a string."""


def _name(text: str) -> None:
    _expect(_NAME, text, "a name")


def _target(text: str) -> None:
    if _NO_FILES.match(text):
        raise _refused("an operator that reads files", text)
    if not _OPERATOR.fullmatch(text):
        raise UnsafeModel(
            f"This .pt2 calls {text[:80]!r}, which is not an operator of PyTorch itself.",
            hint="Custom operators are not run here: export the model without them.",
        )


def _size(text: str) -> None:
    """A symbolic size: sympy's constructors, numbers and symbols."""
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.Call):
            fits = isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS
        else:
            fits = isinstance(node, _GRAMMAR) and _is_harmless(node, _FUNCTIONS)
        if not fits:
            raise _refused("a size that is no arithmetic", text)


def _guard(text: str) -> None:
    """A condition on the inputs: comparisons of ``L['x'].size()[0]`` and arithmetic on them."""
    if any(sign in text for sign in '#"\\\n\t'):
        raise _refused("a guard that is no condition", text)
    allowed = (*_GRAMMAR, ast.Subscript, ast.Attribute)
    for node in ast.walk(_parsed(text)):
        if isinstance(node, ast.Attribute):
            fits = node.attr in _METHODS
        elif isinstance(node, ast.Call):
            fits = isinstance(node.func, ast.Attribute) or (
                isinstance(node.func, ast.Name) and node.func.id in _GUARD_FUNCTIONS
            )
        else:
            fits = isinstance(node, allowed) and _is_harmless(node, _GUARD_FUNCTIONS | {"L"})
        if not fits:
            raise _refused("a guard that is no condition", text)


def _parsed(text: str) -> ast.Expression:
    if len(text) > _TEXT_LIMIT:
        raise _refused("an expression of unreasonable length", text)
    try:
        return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise _refused("an expression that is no arithmetic", text) from error


def _is_harmless(node: ast.AST, functions: frozenset[str] | set[str]) -> bool:
    """Names and constants: a symbol, a known word, a number, or a symbol's name in quotes."""
    if isinstance(node, ast.Name):
        return node.id in functions or bool(
            re.fullmatch(r"[suzf]+\d+|oo|int_oo|inf|nan|True|False|true|false", node.id)
        )
    if isinstance(node, ast.keyword):
        return node.arg is not None and bool(_ASSUMPTION.fullmatch(node.arg))
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return bool(re.fullmatch(r"[\w.\-]+", node.value, re.ASCII))
    return not isinstance(node, ast.Constant) or isinstance(node.value, int | float | bool | None)


def _structure(text: str) -> None:
    """A pytree's layout: nested tuples, lists and dicts."""
    try:
        version, layout = json.loads(text)
    except (ValueError, TypeError, RecursionError) as error:
        raise _refused("a layout of inputs that cannot be read", text) from error
    if version != 1:
        raise _refused("a layout of inputs of another version", text)
    pending = [layout]
    while pending:
        node = pending.pop()
        if not isinstance(node, dict) or set(node) != {"type", "context", "children_spec"}:
            raise _refused("a layout of inputs that cannot be read", text)
        kind, context = node["type"], node["context"]
        if kind is not None and not (isinstance(kind, str) and _STRUCTURES.fullmatch(kind)):
            raise _refused("inputs or outputs of a type of its own", str(kind))
        if context is not None:
            _check_context(context)
        pending.extend(node["children_spec"])


def _check_context(context: Any) -> None:
    """What a container says of itself: nothing, or its keys."""
    try:
        keys = json.loads(context)
    except (ValueError, TypeError, RecursionError) as error:
        raise _refused("keys that cannot be read", str(context)) from error
    for key in keys if isinstance(keys, list) else [keys]:
        if isinstance(key, str):
            _expect(_NAME, key, "the name of an input or output")
        elif not (key is None or isinstance(key, int)):
            raise _refused("keys that are no names", str(key))


def _expect(pattern: re.Pattern[str], text: str, what: str) -> None:
    if not pattern.fullmatch(text):
        raise _refused(f"{what} that is none", text)


def _refused(what: str, text: str) -> UnsafeModel:
    return UnsafeModel(f"This .pt2 holds {what}: {text[:80]!r}. It was not opened.", hint=_HINT)


_HINT = "Save it again with torch.export.save of a current PyTorch, or bring it as ONNX."
_RULES: dict[str, Callable[[str], None]] = {
    "expr_str": _size,
    "target": _target,
    "guards_code": _guard,
    "in_spec": _structure,
    "out_spec": _structure,
    "name": _name,
    "as_name": _name,
    "fqn": _name,
    "parameter_name": _name,
    "buffer_name": _name,
    "forward_arg_names": _name,
    "as_operator": _target,
    "as_string": _free,
    "as_strings": _free,
    "metadata": _free,
}
