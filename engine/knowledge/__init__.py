"""What is known before anything is measured: the tree, the guides, the published figures.

Data in YAML beside this file, checked against ``schema/`` when it is read.
"""

from engine.knowledge.advice import advice_for, answers_for
from engine.knowledge.decision import export_decision
from engine.knowledge.guides import (
    FormatGuide,
    Pitfall,
    Recipe,
    Stars,
    format_guide,
    format_guides,
    list_recipes,
    pitfalls,
)
from engine.knowledge.passes import pass_promise, pass_reach
from engine.knowledge.reach import reach_from
from engine.knowledge.reference import (
    Claim,
    ReferenceColumn,
    ReferenceRow,
    ReferenceTable,
    claims,
    reference_tables,
)
from engine.knowledge.snippets import Snippet, list_snippets
from engine.knowledge.tree import (
    Answer,
    Answered,
    Leaf,
    Question,
    Rejection,
    Tree,
    Walk,
    decision_tree,
    walk,
)
from engine.nvidia import has_nvidia_gpu

__all__ = [
    "Answer",
    "Answered",
    "Claim",
    "FormatGuide",
    "Leaf",
    "Pitfall",
    "Question",
    "Recipe",
    "ReferenceColumn",
    "ReferenceRow",
    "ReferenceTable",
    "Rejection",
    "Snippet",
    "Stars",
    "Tree",
    "Walk",
    "advice_for",
    "answers_for",
    "claims",
    "decision_tree",
    "export_decision",
    "format_guide",
    "format_guides",
    "has_nvidia_gpu",
    "list_recipes",
    "list_snippets",
    "pass_promise",
    "pass_reach",
    "pitfalls",
    "reach_from",
    "reference_tables",
    "walk",
]
