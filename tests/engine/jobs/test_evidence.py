"""A worker's word is the word of a process that may be hostile."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from engine.errors import Reason, TaskFailed, UnsafeModel
from engine.jobs import evidence
from engine.jobs.evidence import Events, log_tail, read_result


def test_only_a_plain_file_of_its_own_is_read(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text('{"result": {"secret": 1}}')
    for number, make in enumerate((os.symlink, os.link)):
        folder = tmp_path / str(number)
        folder.mkdir()
        make(secret, folder / "result.json")
        with pytest.raises(TaskFailed, match="cannot be used"):
            read_result(folder)
    pipe = tmp_path / "pipe"
    pipe.mkdir()
    os.mkfifo(pipe / "result.json")
    with pytest.raises(TaskFailed, match="cannot be used"):
        read_result(pipe)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"result": 1}',
        '{"result": {"x": NaN}}',
        '{"result": {"x": -Infinity}}',
        "[" * 200_000,
        "\ud800".encode("utf-8", "surrogatepass"),
    ],
)
def test_a_malformed_result_is_an_error_with_words(tmp_path: Path, text: str | bytes) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(TaskFailed) as caught:
        read_result(tmp_path)
    assert caught.value.reason is Reason.INTERNAL


def test_a_result_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "result.json").open("wb") as file:
        file.truncate(65 * 1024**2)
    with pytest.raises(TaskFailed, match="more than"):
        read_result(tmp_path)


def test_an_error_comes_back_as_its_kind_without_control_characters(tmp_path: Path) -> None:
    fields = {"reason": "unsafe_model", "message": "a\x1b[31mb\u202ec", "hint": "\x00d"}
    (tmp_path / "result.json").write_text(json.dumps({"error": fields}))
    with pytest.raises(UnsafeModel) as caught:
        read_result(tmp_path)
    assert (caught.value.message, caught.value.hint) == ("a[31mbc", "d")


def test_errors_survive_the_way_there_and_back() -> None:
    for error in (
        UnsafeModel("No.", hint="Do this."),
        TaskFailed("Lost.", how=Reason.WORKER_LOST, hint="Again."),
    ):
        back = evidence.to_error(evidence.from_error(error))
        assert (type(back), back.message, back.hint) == (type(error), error.message, error.hint)


def test_events_are_read_once_and_nonsense_is_passed_over(tmp_path: Path) -> None:
    events, feed = Events(tmp_path), tmp_path / "events.jsonl"
    assert list(events.new()) == []
    good = {"at": 1.0, "message": "one", "fraction": 7}
    with feed.open("w") as file:
        file.write(json.dumps(good) + "\nnot json\n[]\n{}\n" + '{"at": 2, "message": "tw')
    assert [(event.message, event.fraction) for event in events.new()] == [("one", 1.0)]
    with feed.open("a") as file:
        file.write('o"}\n')
    assert [(event.message, event.fraction) for event in events.new()] == [("two", None)]
    assert list(events.new()) == []


def test_an_endless_line_does_not_stop_the_feed(tmp_path: Path) -> None:
    events = Events(tmp_path)
    (tmp_path / "events.jsonl").write_text("x" * 200_000 + '\n{"at": 1, "message": "after"}\n')
    heard = [event.message for _ in range(10) for event in events.new()]
    assert heard == ["after"]


def test_the_log_tail_is_short_and_plain(tmp_path: Path) -> None:
    assert log_tail(tmp_path) == ""
    (tmp_path / "worker.log").write_bytes(b"x" * 10_000 + b"\x1b[0m\n\xfflast\n")
    tail = log_tail(tmp_path)
    assert len(tail) <= 4096 and tail.endswith("last\n") and "\x1b" not in tail


@pytest.mark.parametrize(
    "said", ["../secret", "/etc/hostname", "", ".", "made/../../secret", "link"]
)
def test_what_was_made_lies_in_its_own_folder(said: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hunter2")
    out = tmp_path / "out"
    (out / "made").mkdir(parents=True)
    (out / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(TaskFailed, match="outside its folder"):
        evidence.made(out, said)


@pytest.mark.parametrize("how", ["link", "pipe"])
def test_nothing_that_was_made_leads_elsewhere(how: str, tmp_path: Path) -> None:
    home = tmp_path / "out" / "made"
    (home / "deep").mkdir(parents=True)
    (home / "model").write_text("weights")
    assert evidence.made(tmp_path / "out", "made/model") == home / "model"
    if how == "link":
        (home / "deep" / "more").symlink_to("/etc/hostname")
    else:
        os.mkfifo(home / "deep" / "more")
    with pytest.raises(TaskFailed, match="a link or a device"):
        evidence.made(tmp_path / "out", "made/model")


def test_nothing_is_read_or_given_below_a_folder_that_was_replaced(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "key").write_text("secret")
    folder = tmp_path / "task"
    folder.mkdir()
    (folder / "result.json").write_text('{"result": {"path": "key"}}')
    (folder / "out").symlink_to(elsewhere)
    with pytest.raises(TaskFailed, match="its folder was replaced"):
        read_result(folder)
    with pytest.raises(TaskFailed, match="outside its folder"):
        evidence.made(folder / "out", "key")


@pytest.mark.parametrize("bit", [stat.S_ISUID, stat.S_ISGID])
def test_nothing_that_runs_as_somebody_else_is_kept(tmp_path: Path, bit: int) -> None:
    made = tmp_path / "out" / "model"
    made.parent.mkdir()
    made.write_bytes(b"")
    assert evidence.made(tmp_path / "out", "model") == made
    made.chmod(0o755 | bit)
    with pytest.raises(TaskFailed, match="run as somebody else"):
        evidence.made(tmp_path / "out", "model")


def test_what_stays_of_a_folder_is_small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "_LARGEST_RESULT", 100)
    monkeypatch.setattr(evidence, "_LOG_CAP", 100)
    monkeypatch.setattr(evidence, "_LOG_KEPT", 10)
    for name in ("request.json", "events.jsonl", "result.json", "worker.log"):
        (tmp_path / name).write_bytes(b"x" * 200)
    evidence.cap(tmp_path)
    assert {file.name: file.stat().st_size for file in tmp_path.iterdir()} == {
        "events.jsonl": 10,
        "worker.log": 10,
    }


def test_evidence_of_two_names_does_not_stay(tmp_path: Path) -> None:
    """Each would be passed over as the other's, and neither ever cut."""
    (tmp_path / "worker.log").write_bytes(b"x" * 200)
    os.link(tmp_path / "worker.log", tmp_path / "events.jsonl")
    evidence.cap(tmp_path)
    assert not (tmp_path / "worker.log").exists() or not (tmp_path / "events.jsonl").exists()


def test_only_a_log_of_its_own_is_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "_LOG_CAP", 100)
    monkeypatch.setattr(evidence, "_LOG_KEPT", 10)
    library = tmp_path / "library.db"
    log = tmp_path / "worker.log"
    for make in (os.symlink, os.link):
        library.write_bytes(b"x" * 200)
        make(library, log)
        evidence.cap_log(tmp_path)
        assert library.stat().st_size == 200
        log.unlink()
    evidence.cap_log(tmp_path)
    log.write_bytes(b"x" * 200)
    evidence.cap_log(tmp_path)
    assert log.stat().st_size == 10
