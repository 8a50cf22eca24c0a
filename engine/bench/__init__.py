"""Measuring: raw samples from fresh processes, and the statistics derived from them."""
