"""Runs the command as ``python -m baznashr_server``."""

from baznashr_server.cli import main

main()
