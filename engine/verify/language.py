"""language"""

from pathlib import Path


def held_out() -> str:
    """The text that language models are judged on: our own, and in no sample's training."""
    return (Path(__file__).parent / "held_out.txt").read_text(encoding="utf-8")
