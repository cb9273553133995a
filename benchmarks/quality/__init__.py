"""Verdicts against labelled pairs, a real stream and synthetic noise: `python -m benchmarks.quality`, `make quality`."""
