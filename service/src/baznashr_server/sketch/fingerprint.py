"""All that is computed from a text alone, in one pass of compiled code."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel
from baznashr_server.profile import FA_1, Profile
from baznashr_server.sketch.hashing import hash_8_grams, hash_24_grams
from baznashr_server.sketch.passages import passage_kernel
from baznashr_server.sketch.shingles import shingle_kernel
from baznashr_server.sketch.signature import permutations, signature_kernel
from baznashr_server.text.canonical import Canonical, canonicalise

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint:
    """What the profile makes of a text."""

    letters: NDArray[np.uint32]
    """uint32[m]: the canonical code points."""
    offsets: NDArray[np.uint32]
    """uint32[m], ascending: where each letter came from, in code points of the text."""
    shingle_sequence: NDArray[np.uint32]
    """uint32[max(0, m-7)]: the shingles in text order, repeats included."""
    signature: NDArray[np.uint32]
    """uint32[128]: MinHash values, as datasketch's `affine32` gives them."""
    passages: NDArray[np.uint64]
    """uint64[p]: distinct winnowed hashes, in text order."""
    repeats_passages: bool
    """Whether a winnowed passage occurs twice: a cheap sign that the text repeats itself."""
    digest_bytes: bytes
    """16 bytes: BLAKE2b (RFC 7693) of the canonical form as UTF-8."""

    @property
    def canonical(self) -> str:
        return Canonical(self.letters, self.offsets).text()

    @property
    def shingles(self) -> NDArray[np.uint32]:
        """The set of shingles: uint32[s], distinct, ascending."""
        return np.unique(self.shingle_sequence)

    @property
    def digest(self) -> str:
        """32 hexadecimal digits."""
        return self.digest_bytes.hex()


@kernel
def sketch_kernel(letters, multipliers, increments):  # type: ignore[no-untyped-def]
    """Return shingles, signature, passages and whether a passage repeats, from canonical letters."""
    eights = hash_8_grams(letters)
    shingles = shingle_kernel(eights)
    signature = signature_kernel(shingles, multipliers, increments)
    passages, repeats = passage_kernel(hash_24_grams(eights))
    return shingles, signature, passages, repeats


def digest_of(canonical: Canonical) -> bytes:
    """Return the 16-byte digest of a canonical form."""
    return blake2b(canonical.text().encode(), digest_size=DIGEST_BYTES).digest()


def fingerprint(text: str, profile: Profile = FA_1) -> Fingerprint:
    """Return the fingerprint of *text*. Total: any `str` has one, also one without letters."""
    return fingerprint_of(canonicalise(text), profile)


def fingerprint_of(canonical: Canonical, profile: Profile = FA_1) -> Fingerprint:
    """Return the fingerprint of a text whose canonical form is at hand."""
    shingles, signature, passages, repeats = sketch_kernel(canonical.letters, *permutations(profile.seed))
    return Fingerprint(
        canonical.letters, canonical.offsets, shingles, signature, passages, repeats, digest_of(canonical)
    )
