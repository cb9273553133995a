"""Verdicts against labelled pairs, a stream and noise: `python -m benchmarks.quality`, `make quality`."""
