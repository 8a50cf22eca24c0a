"""Data that a model is calibrated on, judged by, or trained further with."""
