"""SavedModels of every kind, from their bytes to a runnable original or a sentence."""

from __future__ import annotations

import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.errors import BadRequest, EngineError, InvalidModel, UnsafeModel, UnsupportedModel
from engine.records import parse
from engine.types import Signature, TensorSpec
from tests import models
from tests.engine.sources.conftest import Bring, refused

Function = Callable[[Any, Any], Any]
"""``(x, variable)`` → the output of a tiny model."""


def save(folder: Path, function: Function, **more: Function) -> Path:
    """A SavedModel of one variable; ``more`` are further signatures by name."""
    import tensorflow as tf

    module = tf.Module()
    module.scale = tf.Variable([1.0, 2.0], name="scale")

    def made(body: Function) -> Any:
        @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, name="x")])
        def run(x: Any) -> Any:
            return {"y": body(x, module.scale)}

        return run

    signatures = {"serving_default": made(function)}
    signatures |= {name: made(body) for name, body in more.items()}
    module.functions = list(signatures.values())
    tf.saved_model.save(module, str(folder), signatures=signatures)
    return folder


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``y = x · scale``, saved once."""
    return save(tmp_path_factory.mktemp("plain") / "net", lambda x, scale: x * scale)


def packed(folder: Path, path: Path, below: str = "") -> Path:
    with zipfile.ZipFile(path, "w") as target:
        for item in sorted(folder.rglob("*")):
            if item.is_file():
                target.write(item, below + item.relative_to(folder).as_posix())
    return path


def test_a_folder_carries_its_signature(bring: Bring, plain: Path) -> None:
    found = bring(plain)
    assert (found["kind"], found["format"]) == ("savedmodel", "savedmodel")
    assert found["signature_origin"] == "carried"
    assert found["signature"]["inputs"][0]["shape"] == ["batch", 2]
    assert [item["name"] for item in found["signature"]["outputs"]] == ["y"]
    assert (found["parameters"], found["op_histogram"]) == (2, {"Mul": 1})


@pytest.mark.parametrize("below", ["", "net/", "net/1/", "1/"])
def test_a_zip_however_deep(bring: Bring, plain: Path, tmp_path: Path, below: str) -> None:
    found = bring(packed(plain, tmp_path / "net.zip", below))
    assert (found["format"], found["parameters"]) == ("savedmodel", 2)


def test_of_numbered_versions_the_highest_is_taken(
    bring: Bring, plain: Path, tmp_path: Path
) -> None:
    home = tmp_path / "net"
    shutil.copytree(plain, home / "2")
    save(home / "10", lambda x, scale: x + scale)
    found = bring(home)
    assert found["op_histogram"] == {"AddV2": 1}
    assert "Version 10 was taken" in found["notes"][0]


def test_only_what_loading_takes_is_kept(
    bring: Bring, plain: Path, tmp_path: Path, workspace: Path
) -> None:
    home = shutil.copytree(plain, tmp_path / "net")
    (home / "evil.py").write_text("raise SystemExit")
    (home / "assets.extra").mkdir()
    (home / "assets.extra" / "tf_serving_warmup_requests").write_text("requests")
    found = bring(home)
    kept = {item.name for item in (workspace / "out" / found["path"]).rglob("*")}
    assert "saved_model.pb" in kept
    assert not kept & {"evil.py", "tf_serving_warmup_requests"}


def test_what_assay_made_keeps_its_names_and_axes(bring: Bring, tmp_path: Path) -> None:
    shape = ("batch", "points of the curve")
    nodes = [("Relu", ["x"], ["y"])]
    source = models.onnx_model(tmp_path / "net.onnx", nodes, shape=shape)
    made = models.converted(source, "savedmodel", tmp_path / "made")
    found = bring(packed(made.path, tmp_path / "model.zip", "model/"))
    assert parse(Signature, found["signature"]) == source.signature


@pytest.mark.parametrize(
    "change",
    [
        lambda notes: {},
        lambda notes: [[]],
        lambda notes: {**notes, "names": {"inputs": {"x": "other"}, "outputs": {"y": "y"}}},
        lambda notes: json.loads(json.dumps(notes).replace("float32", "int64")),
        lambda notes: json.loads(json.dumps(notes).replace("4]", "5]")),
    ],
)
def test_notes_that_do_not_fit_the_graph_are_not_believed(
    bring: Bring, tmp_path: Path, change: Callable[[Any], Any]
) -> None:
    source = models.onnx_model(tmp_path / "net.onnx", [("Relu", ["x"], ["y"])])
    made = models.converted(source, "savedmodel", tmp_path / "made")
    notes = made.path / "1" / "assets.extra" / "assay.json"
    notes.write_text(json.dumps(change(json.loads(notes.read_text()))))
    found = bring(made.path)
    assert parse(Signature, found["signature"]) == source.signature


def test_table_ids_get_their_range(bring: Bring, tmp_path: Path) -> None:
    import tensorflow as tf

    class Lookup(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table = tf.Variable(tf.ones([30, 4]))

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64, name="ids")])
        def inner(self, ids: Any) -> Any:
            return tf.gather(self.table, ids)

        @tf.function(input_signature=[tf.TensorSpec([None, None], tf.int64, name="ids")])
        def __call__(self, ids: Any) -> Any:
            return {"rows": self.inner(ids)}

    module = Lookup()
    folder = tmp_path / "lookup"
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.__call__})
    spec = bring(folder)["signature"]["inputs"][0]
    assert (spec["dtype"], spec["low"], spec["high"]) == ("int64", 0, 30)
    assert spec["shape"] == ["batch", "ids_1"]


def test_the_default_signature_is_run_and_the_others_are_named(
    bring: Bring, tmp_path: Path
) -> None:
    folder = save(tmp_path / "two", lambda x, scale: x * scale, doubled=lambda x, scale: x + x)
    found = bring(folder)
    assert found["op_histogram"] == {"Mul": 1}
    assert "doubled" in found["facts"]["Signatures"]


def test_another_signature_is_run_where_the_default_takes_texts(
    bring: Bring, tmp_path: Path
) -> None:
    import tensorflow as tf

    class Texts(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="text")])
        def texts(self, text: Any) -> Any:
            return {"n": tf.strings.length(text)}

        @tf.function(input_signature=[tf.TensorSpec([None, 3], tf.float32, name="x")])
        def numbers(self, x: Any) -> Any:
            return {"y": x * 2.0}

    module = Texts()
    both = {"serving_default": module.texts, "numbers": module.numbers}
    tf.saved_model.save(module, str(tmp_path / "both"), signatures=both)
    found = bring(tmp_path / "both")
    assert [item["name"] for item in found["signature"]["inputs"]] == ["x"]
    assert "numbers (run here)" in found["facts"]["Signatures"]

    only = {"serving_default": module.texts}
    tf.saved_model.save(module, str(tmp_path / "only"), signatures=only)
    error = refused(bring, tmp_path / "only", UnsupportedModel)
    assert "'text'" in error.message and "text" in error.hint


def reads(x: Any, scale: Any) -> Any:
    import tensorflow as tf

    return x + tf.cast(tf.strings.length(tf.io.read_file("/etc/hostname")), tf.float32)


def writes_in_a_branch(x: Any, scale: Any) -> Any:
    import tensorflow as tf

    def write() -> Any:
        tf.io.write_file("/tmp/canary", "here")
        return x

    return tf.cond(tf.reduce_sum(x) > 0, write, lambda: x)


def python(x: Any, scale: Any) -> Any:
    import tensorflow as tf

    return tf.py_function(lambda value: value, [x], tf.float32)


def restores(x: Any, scale: Any) -> Any:
    import tensorflow as tf

    return tf.raw_ops.RestoreV2(
        prefix="/etc/x", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32]
    )[0]


def prints(x: Any, scale: Any) -> Any:
    import tensorflow as tf

    tf.print("here", output_stream="file:///tmp/canary")
    return x


def waits(x: Any, scale: Any) -> Any:
    """An operator with an effect that nobody thought of: refused because it has one."""
    import tensorflow as tf

    with tf.control_dependencies([tf.raw_ops.Timestamp()]):
        return tf.identity(x)


@pytest.mark.parametrize(
    ("function", "operator"),
    [
        (waits, "Timestamp"),
        (reads, "ReadFile"),
        (writes_in_a_branch, "WriteFile"),
        (python, "EagerPyFunc"),
        (restores, "RestoreV2"),
        (prints, "PrintV2"),
    ],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_operators_that_reach_outside_are_named_before_loading(
    bring: Bring,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: Function,
    operator: str,
) -> None:
    import tensorflow as tf

    folder = save(tmp_path / "net", function)

    def loaded(*arguments: Any, **more: Any) -> Any:
        raise AssertionError("it was loaded")

    monkeypatch.setattr(tf.saved_model, "load", loaded)
    assert f"{operator!r}" in refused(bring, folder, UnsafeModel).message


def changed(folder: Path, out: Path, change: Callable[[Any], None]) -> Path:
    """A copy of a SavedModel with its protobuf changed."""
    from tensorflow.core.protobuf import saved_model_pb2

    shutil.copytree(folder, out)
    message = saved_model_pb2.SavedModel()
    message.ParseFromString((out / "saved_model.pb").read_bytes())
    change(message)
    (out / "saved_model.pb").write_bytes(message.SerializeToString())
    return out


def a_custom_operator(message: Any) -> None:
    message.meta_graphs[0].graph_def.node.add(name="mine", op="MyCompany>Op")


def operator(kind: str) -> Callable[[Any], None]:
    """A change that puts one operator of TensorFlow's into a function of the model."""

    def change(message: Any) -> None:
        message.meta_graphs[0].graph_def.library.function[0].node_def.add(name="mine", op=kind)

    return change


def six_operators_that_reach_outside(message: Any) -> None:
    for kind in ("ReadFile", "WriteFile", "EagerPyFunc", "DumpTensor", "PrintV2", "ReadFile"):
        operator(kind)(message)


def reading_inside_the_saver_called_by_another_name(message: Any) -> None:
    """As below, but named by an object of the model alone."""
    graph = message.meta_graphs[0]
    names = [item.signature.name for item in graph.graph_def.library.function]
    restore = next(name for name in names if "restore" in name)
    added = graph.object_graph_def.nodes.add()
    added.bare_concrete_function.concrete_function_name = restore


def reading_inside_the_saver_called_by_the_signature(message: Any) -> None:
    """The saver's own functions may restore; not when the model calls them."""
    graph = message.meta_graphs[0]
    names = [item.signature.name for item in graph.graph_def.library.function]
    restore = next(name for name in names if "restore" in name)
    graph.object_graph_def.concrete_functions[restore].canonicalized_input_signature.SetInParent()


def no_graph_for_serving(message: Any) -> None:
    message.meta_graphs[0].meta_info_def.tags[:] = ["train"]


def no_graph(message: Any) -> None:
    del message.meta_graphs[:]


def no_objects(message: Any) -> None:
    message.meta_graphs[0].ClearField("object_graph_def")


@pytest.mark.parametrize(
    ("change", "error", "said"),
    [
        (a_custom_operator, UnsupportedModel, "custom operator 'MyCompany>Op'"),
        (operator("CalibrationStatisticsSaver"), UnsafeModel, "'CalibrationStatisticsSaver'"),
        (operator("DumpTensor"), UnsafeModel, "'DumpTensor'"),
        (
            six_operators_that_reach_outside,
            UnsafeModel,
            "the operators 'ReadFile' (node 'mine'), 'WriteFile' (node 'mine'), 'EagerPyFunc' "
            "(node 'mine'), 'DumpTensor' (node 'mine') and 1 more",
        ),
        (operator("XlaCallModule"), UnsafeModel, "'XlaCallModule'"),
        (reading_inside_the_saver_called_by_another_name, UnsafeModel, "'RestoreV2'"),
        (reading_inside_the_saver_called_by_the_signature, UnsafeModel, "'RestoreV2'"),
        (no_graph_for_serving, UnsupportedModel, "holds 'train'"),
        (no_graph, UnsupportedModel, "holds none"),
        (no_objects, UnsupportedModel, "manner of TensorFlow 1"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_graphs_that_are_refused(
    bring: Bring,
    plain: Path,
    tmp_path: Path,
    change: Callable[[Any], None],
    error: type[EngineError],
    said: str,
) -> None:
    assert said in refused(bring, changed(plain, tmp_path / "net", change), error).message


def test_parts_that_are_missing(bring: Bring, plain: Path, tmp_path: Path) -> None:
    alone = shutil.copyfile(plain / "saved_model.pb", tmp_path / "saved_model.pb")
    assert "alone" in refused(bring, alone, InvalidModel).message
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copyfile(plain / "saved_model.pb", bare / "saved_model.pb")
    assert "variables" in refused(bring, bare, InvalidModel).message


def test_a_link_is_not_followed(bring: Bring, plain: Path, tmp_path: Path) -> None:
    home = shutil.copytree(plain, tmp_path / "net")
    (home / "assets").mkdir(exist_ok=True)
    (home / "assets" / "leads-out").symlink_to("/etc/hostname")
    assert "link" in refused(bring, home, UnsafeModel).message


@pytest.mark.parametrize("part", ["saved_model.pb", "variables/variables.index"])
@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_cut_short(bring: Bring, plain: Path, tmp_path: Path, part: str, keep: float) -> None:
    home = shutil.copytree(plain, tmp_path / "net")
    data = (home / part).read_bytes()
    (home / part).write_bytes(data[: int(len(data) * keep)])
    with pytest.raises(EngineError) as caught:
        bring(home)
    assert isinstance(caught.value, InvalidModel | UnsupportedModel)


def test_a_given_signature_may_name_axes_and_no_more(bring: Bring, plain: Path) -> None:
    wanted = Signature((TensorSpec("x", "float32", ("rows", 2), -1.0, 1.0),))
    found = bring(plain, signature=wanted)
    assert found["signature_origin"] == "given"
    assert found["signature"]["outputs"][0]["shape"] == ["rows", 2]
    wrong = Signature((TensorSpec("x", "float32", ("rows", 3)),))
    assert "[rows, 3]" in refused(bring, plain, BadRequest, signature=wrong).message
