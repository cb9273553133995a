"""The engine: one data folder, its tables and its judge, in process and behind the server alike."""

from baznashr_server.engine.engine import Engine
from baznashr_server.engine.observer import LIMITS, STAGES, Observer

__all__ = ["LIMITS", "STAGES", "Engine", "Observer"]
