"""Passes: what makes a model smaller or faster in its own format. The folder is the list.

One file (or folder) a pass, or a family of them: ``PASSES`` says what there is, and a function
decorated with ``engine.changes.handles`` does it on one format. Passes never import each other.
"""
