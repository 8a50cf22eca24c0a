"""The stand-ins are strict: what a generation lacks raises, what it forbids fails."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests import models
from tests.fakes import cuda
from tests.fakes import tensorrt as fake


@pytest.fixture(params=fake.GENERATIONS)
def trt(request: pytest.FixtureRequest) -> Any:
    gpu = cuda.Gpu(initialised=True, contexts=[object()])
    return fake.tensorrt(request.param, gpu)


def old(trt: Any) -> bool:
    return bool(trt.__version__.startswith("8"))


def quiet(trt: Any) -> Any:
    class Quiet(trt.ILogger):
        def __init__(self) -> None:
            trt.ILogger.__init__(self)
            self.said: list[str] = []

        def log(self, severity: Any, msg: str) -> None:
            self.said.append(msg)

    return Quiet()


def parsed(trt: Any, flags: int, path: Path, logger: Any) -> tuple[Any, Any, bool]:
    builder = trt.Builder(logger)
    network = builder.create_network(flags)
    done = trt.OnnxParser(network, logger).parse_from_file(str(path))
    return builder, network, done


def bit(flag: Any) -> int:
    return 1 << int(flag)


def test_names_are_those_of_the_version(trt: Any) -> None:
    newest = trt.__version__.startswith("11")
    assert hasattr(trt.NetworkDefinitionCreationFlag, "EXPLICIT_BATCH") == (not newest)
    assert hasattr(trt.NetworkDefinitionCreationFlag, "STRONGLY_TYPED") == (not old(trt))
    assert hasattr(trt.BuilderFlag, "FP16") == (not newest)
    assert hasattr(trt.BuilderFlag, "TF32")
    config = trt.Builder(quiet(trt)).create_builder_config()
    gone_by_now = {"8": (), "10": ("max_workspace_size",)}
    everything = ("max_workspace_size", "int8_calibrator", "set_quantization_flag")
    for gone in (*gone_by_now.get(trt.__version__.split(".")[0], everything), "no_such_thing"):
        with pytest.raises(AttributeError):
            getattr(config, gone)
        with pytest.raises(AttributeError):
            setattr(config, gone, 1)


def test_arguments_are_those_of_the_signatures(trt: Any) -> None:
    builder = trt.Builder(quiet(trt))
    config = builder.create_builder_config()
    for wrong in (
        lambda: builder.create_network("1"),
        lambda: builder.create_network(1 << 9),
        lambda: config.set_memory_pool_limit(0, 1024),
        lambda: config.set_memory_pool_limit(trt.MemoryPoolType.WORKSPACE),
        lambda: config.set_flag(1),
        lambda: config.create_timing_cache("text"),
        lambda: builder.create_optimization_profile().set_shape("x", [1.0], [1.0], [1.0]),
        lambda: builder.create_optimization_profile().set_shape("x", min=(1,), opt=(1,)),
    ):
        with pytest.raises(TypeError):
            wrong()
    builder.create_optimization_profile().set_shape("x", min=(1,), opt=(1,), max=(2,))


def test_a_logger_that_was_not_initialised_is_refused(trt: Any) -> None:
    class Forgotten(trt.ILogger):
        def __init__(self) -> None:
            pass

    with pytest.raises(TypeError, match="must be called"):
        trt.Builder(Forgotten())


def test_batch_must_be_explicit_where_it_may_not_be(trt: Any, tmp_path: Path) -> None:
    source = models.onnx_model(tmp_path / "m.onnx", [("Relu", ["x"], ["y"])])
    logger = quiet(trt)
    _, _, done = parsed(trt, 0, source.path, logger)
    assert done == (not old(trt))
    if old(trt):
        flag = bit(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH)
        assert parsed(trt, flag, source.path, logger)[2]


def test_dynamic_shapes_without_a_profile_build_nothing(trt: Any, tmp_path: Path) -> None:
    source = models.onnx_model(tmp_path / "m.onnx", [("Relu", ["x"], ["y"])])
    flags = bit(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH) if old(trt) else 0
    logger = quiet(trt)
    builder, network, _ = parsed(trt, flags, source.path, logger)
    assert builder.build_serialized_network(network, builder.create_builder_config()) is None
    assert "no optimization profile" in logger.said[-1]


def test_a_strongly_typed_network_takes_no_precision_flag(tmp_path: Path) -> None:
    trt = fake.tensorrt("10", cuda.Gpu(initialised=True, contexts=[object()]))
    source = models.onnx_model(tmp_path / "m.onnx", [("Relu", ["x"], ["y"])], shape=(2, 4))
    strong = bit(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED)
    for flags, built in ((strong, False), (0, True)):
        builder, network, _ = parsed(trt, flags, source.path, quiet(trt))
        config = builder.create_builder_config()
        config.set_flag(trt.BuilderFlag.FP16)
        assert (builder.build_serialized_network(network, config) is not None) == built


def test_nothing_runs_without_its_addresses_and_shapes(trt: Any, tmp_path: Path) -> None:
    source = models.onnx_model(tmp_path / "m.onnx", [("Relu", ["x"], ["y"])])
    flags = bit(trt.NetworkDefinitionCreationFlag.EXPLICIT_BATCH) if old(trt) else 0
    logger = quiet(trt)
    builder, network, _ = parsed(trt, flags, source.path, logger)
    config, profile = builder.create_builder_config(), builder.create_optimization_profile()
    profile.set_shape("x", (1, 4), (2, 4), (3, 4))
    config.add_optimization_profile(profile)
    plan = builder.build_serialized_network(network, config)
    context = trt.Runtime(logger).deserialize_cuda_engine(plan).create_execution_context()
    assert context.infer_shapes() == ["x"]
    assert not context.execute_async_v3(1)
    assert not context.set_input_shape("x", (4, 4))
    assert context.set_input_shape("x", (3, 4))
    assert not context.set_tensor_address("no such tensor", 1)
    assert context.set_tensor_address("x", 1) and not context.execute_async_v3(1)


def test_memory_is_checked_and_filled_late() -> None:
    gpu = cuda.Gpu()
    driver = cuda.driver(gpu)
    with pytest.raises(cuda.LogicError, match="initialization"):
        driver.Device(0)
    driver.init()
    with pytest.raises(cuda.LogicError, match="context"):
        driver.mem_alloc(4)
    context = driver.Device(0).retain_primary_context()
    context.push()
    place, stream = driver.mem_alloc(8), driver.Stream()
    sent, got = np.float32([1, 2]), np.float32([0, 0])
    driver.memcpy_htod_async(place, sent, stream)
    driver.memcpy_dtoh_async(got, place, stream)
    assert not np.array_equal(got, sent)
    stream.synchronize()
    np.testing.assert_array_equal(got, sent)
    with pytest.raises(cuda.LogicError, match="illegal memory access"):
        driver.memcpy_htod_async(place, np.zeros(3, "float32"), stream)
    place.free()
    with pytest.raises(cuda.LogicError, match="freed"):
        int(place)
    context.pop()
    with pytest.raises(cuda.LogicError):
        driver.Stream()


def test_an_event_has_no_time_before_it_happened() -> None:
    gpu = cuda.Gpu(initialised=True, contexts=[object()])
    driver = cuda.driver(gpu)
    stream, began, ended = driver.Stream(), driver.Event(), driver.Event()
    with pytest.raises(cuda.LogicError):
        began.time_till(ended)
    began.record(stream)
    ended.record(stream)
    with pytest.raises(cuda.LogicError, match="not ready"):
        began.time_till(ended)
    stream.synchronize()
    assert began.time_till(ended) >= 0
