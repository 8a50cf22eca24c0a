"""The decision tree: questions, answers, leaves, and the walk through them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache

from engine.knowledge.guides import format_label
from engine.knowledge.source import broken, read
from engine.records import parse

FILE = "decision_tree.yaml"


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer. ``short`` is its word in the drawing; ``via`` the format the founding tree names.

    ``leads_to`` is a question or a leaf; ``rejects`` says why it rules a format (or leaf) out.
    """

    id: str
    label: str
    short: str
    sentence: str
    leads_to: str
    via: str | None = None
    rejects: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """One question. ``default`` is the answer assumed when nobody is there to be asked."""

    id: str
    topic: str
    ask: str
    why: str
    answers: tuple[Answer, ...]
    default: str | None = None

    def answer(self, id: str) -> Answer | None:
        """The answer of that id, or None."""
        return next((one for one in self.answers if one.id == id), None)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One recommendation. ``pitfalls``, ``recipes`` and ``claims`` are ids."""

    id: str
    title: str
    format: str
    variant: str
    recommendation: str
    why: str
    notes: tuple[str, ...]
    pitfalls: tuple[str, ...]
    recipes: tuple[str, ...]
    claims: tuple[str, ...]
    rejects: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Tree:
    """The whole tree; questions may be shared by several paths."""

    root: str
    questions: tuple[Question, ...]
    leaves: tuple[Leaf, ...]

    def question(self, id: str) -> Question | None:
        """The question of that id, or None."""
        return next((one for one in self.questions if one.id == id), None)

    def leaf(self, id: str) -> Leaf | None:
        """The leaf of that id, or None."""
        return next((one for one in self.leaves if one.id == id), None)


@dataclass(frozen=True, slots=True)
class Answered:
    """One step of a walk."""

    question: Question
    answer: Answer


@dataclass(frozen=True, slots=True)
class Rejection:
    """A format, or another leaf of the same format, and why not. ``label`` is its name."""

    label: str
    format: str
    reason: str


@dataclass(frozen=True, slots=True)
class Walk:
    """Where a set of answers leads: exactly one of ``question`` and ``leaf`` is set.

    ``ignored`` are the answers that were given but lie off the path.
    """

    path: tuple[Answered, ...]
    question: Question | None
    leaf: Leaf | None
    rejected: tuple[Rejection, ...]
    ignored: tuple[str, ...]

    @property
    def answers(self) -> dict[str, str]:
        """The answers on the path, by question id, in order."""
        return {step.question.id: step.answer.id for step in self.path}

    @property
    def nodes(self) -> tuple[str, ...]:
        """The ids along the path: questions, then the leaf or the open question."""
        end = self.leaf or self.question
        return (*(step.question.id for step in self.path), *((end.id,) if end else ()))


@cache
def decision_tree() -> Tree:
    """The tree, read once. Raises EngineError naming the key that does not hold together."""
    tree = parse(Tree, read(FILE))
    check(tree)
    return tree


def walk(answers: Mapping[str, str]) -> Walk:
    """Follow the answers from the root as far as they reach; those that do not fit are ignored."""
    tree = decision_tree()
    path: list[Answered] = []
    here = tree.root
    while question := tree.question(here):
        answer = question.answer(answers.get(question.id, ""))
        if answer is None:
            break
        path.append(Answered(question, answer))
        here = answer.leads_to
    leaf = tree.leaf(here)
    used = {step.question.id for step in path}
    return Walk(
        path=tuple(path),
        question=question,
        leaf=leaf,
        rejected=tuple(_rejected(tree, path, leaf)),
        ignored=tuple(id for id in answers if id not in used),
    )


def check(tree: Tree) -> None:
    """Refuse lost references, unreached nodes and circles. Raises EngineError."""
    known = {one.id for one in tree.questions} | {one.id for one in tree.leaves}
    formats = {leaf.format for leaf in tree.leaves} | {"exported"}
    for question in tree.questions:
        if question.default is not None and question.answer(question.default) is None:
            raise broken(
                FILE, f"questions/{question.id}/default", f"no answer {question.default!r}"
            )
        for answer in question.answers:
            where = f"questions/{question.id}/{answer.id}"
            if answer.leads_to not in known:
                raise broken(FILE, f"{where}/leads_to", f"nothing is called {answer.leads_to!r}")
            _check_keys(where, answer.rejects, known | formats)
    for leaf in tree.leaves:
        _check_keys(f"leaves/{leaf.id}", leaf.rejects, known | formats)
        for missing in formats - {leaf.format} - leaf.rejects.keys():
            raise broken(FILE, f"leaves/{leaf.id}/rejects", f"says nothing about {missing!r}")
    for lost in known - set(_reached(tree, tree.root, ())):
        raise broken(FILE, lost, "no answer leads here")


def _check_keys(where: str, rejects: Mapping[str, str], known: set[str]) -> None:
    for key in rejects.keys() - known:
        raise broken(FILE, f"{where}/rejects", f"there is no format or leaf {key!r}")


def _reached(tree: Tree, here: str, above: tuple[str, ...]) -> Iterator[str]:
    if here in above:
        raise broken(FILE, here, f"goes in a circle through {' → '.join(above)}")
    yield here
    question = tree.question(here)
    for answer in question.answers if question else ():
        yield from _reached(tree, answer.leads_to, (*above, here))


def _rejected(tree: Tree, path: list[Answered], leaf: Leaf | None) -> Iterator[Rejection]:
    """What the answers rule out, then what the leaf adds; never the leaf's own format."""
    reasons: dict[str, str] = dict(leaf.rejects) if leaf else {}
    for step in path:
        reasons |= step.answer.rejects
    own = {leaf.format, leaf.id} if leaf else set()
    for key, reason in reasons.items():
        if key not in own:
            other = tree.leaf(key)
            name, title = (other.format, other.title) if other else (key, format_label(key))
            yield Rejection(title, name, reason)
