"""Profiles: everything that changes bits. One is in force for all corpora of a store, stored with it, never edited.

A change to any of these makes a new profile with a new name; the known-answer vectors in the tests hold `fa-1` still.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace


@dataclass(frozen=True, slots=True)
class Profile:
    name: str
    normaliser: str
    shingle_size: int
    """Letters."""
    shingle_hash: str
    num_perm: int
    seed: int
    scheme: str
    bands: int
    rows: int
    passage_size: int
    """Letters."""
    passage_window: int
    """Successive passages of which winnowing keeps one."""
    digest: str

    def describe(self) -> dict[str, str]:
        """Return all fields as text, for the store's header and for comparison on open."""
        return {key: str(value) for key, value in asdict(self).items()}


FA_1 = Profile(
    name="fa-1",
    normaliser="fa-1",
    shingle_size=8,
    shingle_hash="poly64-fmix64-hi32",
    num_perm=128,
    seed=1,
    scheme="affine32",
    bands=25,
    rows=5,
    passage_size=24,
    passage_window=48,
    digest="blake2b-128/utf-8",
)
"""What new stores get."""

FA_1B = replace(FA_1, name="fa-1b", seed=2)
"""With permutations of its own, so that pairs that `fa-1` misses by chance are missed by chance anew. The code follows
a profile's seed; a profile that differs in another field needs code that follows that too."""

PROFILES = (FA_1, FA_1B)
"""Those that a store may be under."""


PROFILE_OF = {profile.name: profile for profile in PROFILES}
"""By name."""
