"""Widgets that own their state, and the frame around every page."""
