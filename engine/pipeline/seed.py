"""The seed of everything drawn at random, the same in every job."""

SEED = 20240
