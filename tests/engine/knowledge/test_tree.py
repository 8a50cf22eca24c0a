"""The decision tree: the founding one, complete, and the half behind "I don't know"."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import pytest

from engine.errors import EngineError
from engine.knowledge import Walk, decision_tree, export_decision, format_guides, walk
from engine.knowledge.guides import list_recipes, pitfalls
from engine.knowledge.reference import claims
from engine.knowledge.tree import check

FOUNDING = {
    "target": {
        "Multi-platform": ("onnx", "optimization"),
        "PyTorch ecosystem": ("torchscript", "control_flow"),
        "TensorFlow ecosystem": ("savedmodel", "SavedModel"),
        "NVIDIA GPU max perf": ("tensorrt", "calibration"),
        "LLM on CPU": ("gguf", "GGUF"),
    },
    "optimization": {"Yes": (None, "ONNX Runtime"), "Maximum": (None, "ONNX → TensorRT")},
    "control_flow": {"Yes": (None, "torch.jit.script"), "No": (None, "torch.jit.trace")},
    "calibration": {"Yes": (None, "INT8 TensorRT"), "No": (None, "FP16 TensorRT")},
}
TOPICS = {
    "target": "Deployment target",
    "optimization": "Need optimization?",
    "control_flow": "Complex control flow?",
    "calibration": "Have calibration data?",
}


def every_walk(answers: dict[str, str] | None = None) -> Iterator[Walk]:
    """Every complete walk there is."""
    here = walk(answers or {})
    if here.question is None:
        yield here
        return
    for answer in here.question.answers:
        yield from every_walk({**here.answers, here.question.id: answer.id})


def test_the_founding_tree_is_there_edge_by_edge() -> None:
    tree = decision_tree()
    for name, wanted in FOUNDING.items():
        question = tree.question(name)
        assert question is not None
        assert question.topic == TOPICS[name]
        found = {}
        for answer in question.answers:
            leaf = tree.leaf(answer.leads_to)
            found[answer.short] = (answer.via, leaf.title if leaf else answer.leads_to)
        found.pop("I don't know", None)
        assert found == wanted


def test_there_are_eight_leaves_and_both_halves_reach_all_of_them() -> None:
    titles = {leaf.title for leaf in decision_tree().leaves}
    assert len(titles) == 8
    walks = list(every_walk())
    known = {w.leaf.title for w in walks if w.leaf and w.answers["target"] != "unknown"}
    unknown = {w.leaf.title for w in walks if w.leaf and w.answers["target"] == "unknown"}
    assert known == unknown == titles


def test_not_knowing_asks_about_hardware_framework_kind_and_size() -> None:
    asked = {id for w in every_walk({"target": "unknown"}) for id in w.answers}
    assert {"hardware", "framework", "kind", "size"} <= asked


def test_every_leaf_says_why_not_of_every_other_format() -> None:
    names = {guide.name for guide in format_guides()}
    for found in every_walk():
        assert found.leaf is not None
        rejected = {no.format for no in found.rejected}
        assert rejected | {found.leaf.format} == names
        assert found.leaf.title not in {no.label for no in found.rejected}


def test_no_answer_on_the_way_rules_out_where_it_leads() -> None:
    for found in every_walk():
        assert found.leaf is not None
        for step in found.path:
            assert found.leaf.format not in step.answer.rejects, found.answers
            assert found.leaf.id not in step.answer.rejects, found.answers


def test_an_answers_own_reason_wins_over_the_leafs() -> None:
    reasons = {
        no.format: no.reason for no in walk({"target": "unknown", "hardware": "mixed"}).rejected
    }
    assert reasons["tensorrt"].startswith("An engine runs on the NVIDIA GPU type")
    assert walk({"target": "pytorch"}).rejected, "a half-finished walk rules out formats already"


def test_a_walk_ignores_what_does_not_fit_and_says_so() -> None:
    found = walk({"target": "pytorch", "control_flow": "perhaps", "calibration": "yes", "x": "y"})
    assert found.answers == {"target": "pytorch"}
    assert found.question is not None and found.question.id == "control_flow"
    assert found.leaf is None
    assert set(found.ignored) == {"control_flow", "calibration", "x"}


def test_what_a_leaf_names_exists_and_belongs_to_it() -> None:
    traps = {trap.id: trap for trap in pitfalls()}
    promises = {claim.id: claim for claim in claims()}
    code = {recipe.id for recipe in list_recipes()}
    for leaf in decision_tree().leaves:
        assert set(leaf.pitfalls) <= traps.keys()
        assert set(leaf.recipes) <= code and leaf.recipes
        assert {promises[id].format for id in leaf.claims} <= {leaf.format}
        assert leaf.format in {traps[id].format for id in leaf.pitfalls}


def test_every_pitfall_and_claim_is_shown_somewhere() -> None:
    leaves = decision_tree().leaves
    assert {id for leaf in leaves for id in leaf.claims} == {claim.id for claim in claims()}
    shown = {id for leaf in leaves for id in leaf.pitfalls}
    assert {trap.id for trap in pitfalls() if trap.format != "exported"} == shown


def test_the_torchscript_leaves_name_their_successor() -> None:
    for leaf in decision_tree().leaves:
        if leaf.format == "torchscript":
            assert any("torch.export" in note for note in leaf.notes)


@pytest.mark.parametrize("broken", ["lost", "unreached", "circle", "default", "rejects"])
def test_a_tree_that_does_not_hold_together_is_refused_by_key(broken: str) -> None:
    tree = decision_tree()
    first, second, *rest = tree.questions
    if broken == "lost":
        bad = dataclasses.replace(second.answers[0], leads_to="nowhere")
        second = dataclasses.replace(second, answers=(bad, *second.answers[1:]))
    elif broken == "unreached":
        rest.append(dataclasses.replace(second, id="island"))
    elif broken == "circle":
        bad = dataclasses.replace(second.answers[0], leads_to="target")
        second = dataclasses.replace(second, answers=(bad, *second.answers[1:]))
    elif broken == "default":
        second = dataclasses.replace(second, default="nobody")
    else:
        bad = dataclasses.replace(second.answers[0], rejects={"onyx": "a typing error"})
        second = dataclasses.replace(second, answers=(bad, *second.answers[1:]))
    with pytest.raises(EngineError, match=r"decision_tree\.yaml at .*(optimi|island|target)"):
        check(dataclasses.replace(tree, questions=(first, second, *rest)))


def test_a_decision_reads_as_a_document() -> None:
    text = export_decision(walk({"target": "pytorch", "control_flow": "yes"}))
    assert text.startswith("# Deployment format: torch.jit.script\n")
    for wanted in (
        "## Ruled out",
        "- **ONNX**: ",
        "## What can go wrong",
        "## To be tested",
        "```python",
    ):
        assert wanted in text
    assert "*open*" in export_decision(walk({"target": "pytorch"}))
