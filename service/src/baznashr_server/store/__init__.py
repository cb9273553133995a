"""The truth: every accepted document as a durable row of SQLite. Knows rows and bytes, nothing of verdicts."""
