"""When a process that serves or judges looks for garbage: rarely, and not among what it holds from the start."""

from __future__ import annotations

import gc

MOST_OBJECTS = 50_000
"""Objects more than there were, from which garbage is looked for: a batch of 256 has some 10,000 while it is worked on.
With Python's own 2,000 all calls stop for 12 ms each second beside batches, to find next to nothing."""


def put_off() -> None:
    """Look for none until `spare`: nearly all that is made at the start stays, and a tenth of its time is looking."""
    gc.disable()


def spare() -> None:
    """Keep all that is there now, modules, settings and kernels: to search it would stop all threads for 0.1 s.

    It is not searched for garbage before, either: of 160,000 objects there then, 1,000 are.
    """
    gc.set_threshold(MOST_OBJECTS)
    gc.freeze()
    gc.enable()
