"""GGUF headers: what is read, and what is refused before anything is believed."""

from __future__ import annotations

import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.errors import EngineError, InvalidModel, UnsupportedModel
from engine.formats.gguf import converter
from engine.formats.gguf.about import cache_bytes, describe, read_signature, read_variant
from engine.formats.gguf.blocks import BLOCKS
from engine.formats.gguf.contents import inspect
from engine.formats.gguf.file import Array, check, read
from tests import gguf_files as made
from tests.gguf_files import ARRAY, BOOL, F32, TEXT, U32, U64

NAMED = {"general.architecture": (TEXT, "llama")}


def written(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_whole_file_is_described(tmp_path: Path) -> None:
    path = made.write_llama(tmp_path / "tiny.gguf")
    parameters, roles, facts = describe(path)
    shapes = made.llama_shapes()
    assert parameters == sum(rows * (rest[0] if rest else 1) for rows, *rest in shapes.values())
    assert roles["attn_q"] == 1 and roles["token_embd"] == 1
    assert facts["Architecture"] == "llama" and facts["Type"] == "F32" == read_variant(path)
    assert facts["Context length"] == "64" and facts["Vocabulary"] == "320 tokens"
    assert facts["Quantization mix"] == "F32: 12 tensors, 100.0 % of the weights"
    assert facts["Largest tensor"] == "token_embd.weight [320, 32], 0.04 MB"
    (tokens,) = read_signature(path).inputs
    assert (tokens.low, tokens.high) == (0, made.WORDS)


def test_everything_in_it_is_listed(tmp_path: Path) -> None:
    path = made.write_llama(tmp_path / "a.gguf", **{"tokenizer.chat_template": (TEXT, "x" * 3000)})
    metadata, tensors = inspect(path)
    told = {key: (kind, value) for key, kind, value in metadata.rows}
    assert told["llama.context_length"] == ("whole number", "64")
    assert told["tokenizer.ggml.tokens"][0] == "list of text, 320 long"
    assert str(told["tokenizer.ggml.tokens"][1]).startswith("<unk>, <s>, </s>, <0x00>")
    assert told["tokenizer.chat_template"][1] == f"{'x' * 2000}… (3,000 characters)"
    assert tensors.rows[0] == ("token_embd.weight", "320 × 32", "F32", 320 * 32 * 4)
    assert (len(tensors.rows), tensors.more) == (12, 0)


def test_a_listing_ends_somewhere(tmp_path: Path) -> None:
    many = {f"key.{index}": (U32, index) for index in range(5010)}
    metadata, _ = inspect(written(tmp_path / "a.gguf", made.header(NAMED | many)))
    assert (len(metadata.rows), metadata.more) == (5000, 11)


def test_block_sizes_are_those_of_the_pinned_llama_cpp() -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(converter.HOME / 'gguf-py')!r})\n"
        "import gguf\n"
        "print({int(k): (k.name, *size) for k, size in gguf.GGML_QUANT_SIZES.items()})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours = {kind: (block.name, block.weights, block.nbytes) for kind, block in BLOCKS.items()}
    assert str(ours) == done.stdout.strip()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"GGUF", "24 bytes"),
        (b"GGUG" + bytes(40), "letters GGUF"),
        (made.header({}, counts=(0, 1 << 63)), "metadata entries"),
        (made.header({}, counts=(1 << 40, 0)), "tensors"),
        (made.header(NAMED, counts=(0, 2)), "middle of its header"),
        (made.header({})[:24] + bytes(8), "names no architecture"),
        (made.header({}, counts=(0, 1)) + made.text(b"k")[:8] + b"\xff" * 9, "unknown type"),
        (made.header({"k": (BOOL, True), "l": (U32, 1)})[:-9], "middle of its header"),
        (made.header(NAMED | {"x": (ARRAY, (U64, [1]))})[:-16] + b"\xff" * 16, "list claims"),
        (made.header(NAMED, [("t", [1] * 5, 0, 0)]), "dimensions"),
        (made.header(NAMED, [("t" * 65, [1], 0, 0)]), "65 bytes"),
        (made.header(NAMED, [("t", [1 << 62, 1 << 62], 0, 0)]), "shape"),
        (made.header(NAMED, [("t", [0], 0, 0)]), "shape"),
        (made.header(NAMED, [("t", [100], 12, 0)]), "256 at a time"),
        (made.header(NAMED, [("t", [64], 0, 0)]) + bytes(64), "would end at byte"),
        (made.header(NAMED, [("t", [1], 0, 7)]) + bytes(99), "would end at byte"),
        (made.header(NAMED, [("t", [1], 0, 0)] * 2) + bytes(99), "there twice"),
        (made.header(NAMED | {"general.alignment": (U32, 0)}), "alignment"),
        (made.header(NAMED | {"general.alignment": (TEXT, "x")}), "alignment"),
        (made.header(NAMED | {"llama.block_count": (U32, 100_000)}), "100,000 layers"),
        (made.header(NAMED | {"llama.block_count": (U32, 0)}), "0 layers"),
    ],
)
def test_a_lie_is_refused_in_a_sentence(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(InvalidModel, match=said) as caught:
        check(written(tmp_path / "a.gguf", data))
    assert caught.value.hint


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (made.header(NAMED, version=1), "version"),
        (made.header(NAMED, version=3 << 24), "big-endian"),
        (made.header(NAMED | {"split.count": (U32, 3)}), "one of 3 parts"),
        (made.header(NAMED, [("t", [32], 99, 0)]), "type 99"),
    ],
)
def test_what_is_sound_but_not_read(tmp_path: Path, data: bytes, said: str) -> None:
    with pytest.raises(UnsupportedModel, match=said):
        check(written(tmp_path / "a.gguf", data))


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"general.architecture": (TEXT, "clip")}, "embedding or encoder"),
        ({"general.type": (TEXT, "mmproj")}, "the kind 'mmproj'"),
        ({"llama.attention.causal": (BOOL, False)}, "embedding or encoder"),
        ({"tokenizer.ggml.tokens": (TEXT, "none")}, "no vocabulary"),
    ],
)
def test_what_does_not_say_the_next_token(
    tmp_path: Path, changed: dict[str, tuple[int, Any]], said: str
) -> None:
    path = made.write_llama(tmp_path / "a.gguf", **changed)
    with pytest.raises(UnsupportedModel, match=said):
        read_signature(path)


def test_a_token_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    """llama.cpp would not refuse it: it ends the whole process."""
    path = made.write_llama(tmp_path / "a.gguf")
    path.write_bytes(path.read_bytes().replace("▁w55".encode(), "▁w56".encode()))
    check(path)
    with pytest.raises(InvalidModel, match="token '▁w56' is there twice"):
        read_signature(path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return made.write_llama(tmp_path_factory.mktemp("gguf") / "tiny.gguf").read_bytes()


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("spoiled") / "a.gguf"


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_spoiled_bytes_end_in_one_of_our_errors(
    data: st.DataObject, whole: bytes, place: Path
) -> None:
    """Nothing else is raised, and nothing runs on: a header is small and every count bounded."""
    start = data.draw(st.integers(0, 12000))
    patch = data.draw(st.binary(min_size=1, max_size=12))
    end = data.draw(st.one_of(st.just(len(whole)), st.integers(0, len(whole))))
    place.write_bytes((whole[:start] + patch + whole[start + len(patch) :])[:end])
    try:
        describe(place)
        read_signature(place)
    except EngineError as error:
        assert error.message.endswith(".") and error.hint


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_any_bytes_after_the_magic(place_bytes: bytes) -> None:
    import tempfile

    with tempfile.NamedTemporaryFile() as file:
        file.write(b"GGUF\x03\x00\x00\x00" + place_bytes)
        file.flush()
        try:
            read(Path(file.name))
        except (InvalidModel, UnsupportedModel) as error:
            assert error.hint


def test_a_long_list_is_stepped_over_and_never_copied(tmp_path: Path) -> None:
    """Of 16 MB of numbers and of 100,000 texts a few elements are kept."""
    long = {"numbers": (ARRAY, (U32, [])), "texts": (ARRAY, (TEXT, ["word"] * 100_000))}
    head = made.header(NAMED | long)
    count, place = 4 << 20, head.index(b"numbers") + len("numbers") + 8
    numbers = np.arange(count, dtype="<u4").tobytes()
    path = tmp_path / "a.gguf"
    path.write_bytes(head[:place] + struct.pack("<Q", count) + numbers + head[place + 8 :])
    tracemalloc.start()
    found = read(path).metadata
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 200_000
    listed = found["numbers"], found["texts"]
    assert all(isinstance(array, Array) for array in listed)
    assert [(array.count, array.head[-1]) for array in listed] == [(count, 7), (100_000, "word")]


def test_numbers_of_every_width_are_read(tmp_path: Path) -> None:
    path = written(tmp_path / "a.gguf", made.header(NAMED | {"a": (F32, 0.5), "b": (U64, 1 << 40)}))
    assert read(path).metadata == {"general.architecture": "llama", "a": 0.5, "b": 1 << 40}


def headed(path: Path, changed: Mapping[str, tuple[int, Any]]) -> Path:
    """A file without weights that says this of itself."""
    return written(path, made.header(made.llama_metadata() | dict(changed)) + bytes(64))


def test_keys_and_values_by_hand(tmp_path: Path) -> None:
    """Layers × key and value heads × the length of both × tokens × bytes of a value."""
    plain = read(made.write_llama(tmp_path / "plain.gguf"))
    assert cache_bytes(plain, 512, 2) == 1 * 2 * (16 + 16) * 512 * 2
    shapes = {
        "llama.block_count": (U32, 32),
        "llama.embedding_length": (U32, 4096),
        "llama.attention.head_count": (U32, 32),
        "llama.attention.head_count_kv": (U32, 8),
    }
    grouped = read(headed(tmp_path / "grouped.gguf", shapes))
    assert cache_bytes(grouped, 2048, 2) == 32 * 8 * (128 + 128) * 2048 * 2 == 256 * 1024**2
    own = {"llama.attention.key_length": (U32, 192), "llama.attention.value_length": (U32, 64)}
    lengths = read(headed(tmp_path / "own.gguf", shapes | own))
    assert cache_bytes(lengths, 1, 4) == 32 * 8 * (192 + 64) * 4


def test_keys_and_values_that_the_header_does_not_tell_are_not_guessed(tmp_path: Path) -> None:
    by_layer = {"llama.attention.head_count_kv": (ARRAY, (U32, [2]))}
    assert cache_bytes(read(headed(tmp_path / "layers.gguf", by_layer)), 64, 2) is None
    none = {"llama.attention.head_count": (U32, 0)}
    assert cache_bytes(read(headed(tmp_path / "none.gguf", none)), 64, 2) is None
