"""Speed and memory, against the peers in the same run: `python -m benchmarks`, or `make bench`."""
