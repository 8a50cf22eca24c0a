"""Numerics as results: a candidate's outputs against the original's."""
