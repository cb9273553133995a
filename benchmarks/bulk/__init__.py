"""Whole archives at once: `baznashr-server bulk` beside text-dedup, datatrove and a datasketch loop."""
