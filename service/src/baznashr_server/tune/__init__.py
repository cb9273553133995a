"""Tuning by users: how well a policy judges labelled pairs, what other thresholds would do, and what a corpus holds."""
