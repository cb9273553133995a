"""Documents in and out of a data folder in bulk, as files."""
