"""One file a source kind, each with its ``CASES``."""
