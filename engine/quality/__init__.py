"""How good an artifact is on real samples, beside the original: what numerics alone cannot say."""
