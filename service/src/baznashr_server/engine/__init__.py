"""The engine: one data folder, its tables and its judge, in process and behind the server alike.

What it offers is imported when it is asked for: whoever needs a module of it that compiles nothing waits for none.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from baznashr_server.engine.engine import Engine
    from baznashr_server.engine.observer import LIMITS, STAGES, Observer

__all__ = ["LIMITS", "STAGES", "Engine", "Observer"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{'engine' if name == 'Engine' else 'observer'}"), name)
