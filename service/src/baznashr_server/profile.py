"""The profile `fa-1`: everything that changes bits. It is one for all corpora, stored with the data and never edited.

A change to any of these makes a new profile with a new name; the known-answer vectors in the tests hold them still.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass


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
