"""The derived tables in memory: which stored documents could match a text. Rebuilt from the store at any time."""
