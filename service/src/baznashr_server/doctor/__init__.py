"""Looks at a data folder, a process or a running server, and says what is wrong and what to do."""
