"""All that is computed from texts alone, by one call of compiled code for many."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from baznashr_server.kernel import kernel
from baznashr_server.profile import FA_1, Profile
from baznashr_server.sketch.hashing import hash_8_grams, hash_24_grams
from baznashr_server.sketch.passages import passage_kernel
from baznashr_server.sketch.shingles import shingle_kernel, shingle_sequence
from baznashr_server.sketch.signature import permutations, signature_kernel
from baznashr_server.text.canonical import Canonical, CanonicalTexts, canonicalise_all

DIGEST_BYTES = 16


@dataclass(frozen=True, slots=True, eq=False)
class Sketch:
    """What is kept of a text beside itself, and all by which it is looked up."""

    size: int
    """Letters of its canonical form."""
    signature: NDArray[np.uint32]
    """uint32[128]: MinHash values, as datasketch's `affine32` gives them."""
    passages: NDArray[np.uint64]
    """uint64[p]: distinct winnowed hashes, in text order."""
    digest_bytes: bytes
    """16 bytes: BLAKE2b (RFC 7693) of the canonical form as UTF-8."""

    @property
    def digest(self) -> str:
        """32 hexadecimal digits."""
        return self.digest_bytes.hex()


@dataclass(frozen=True, slots=True, eq=False)
class Fingerprint(Sketch):
    """All that the profile makes of a text."""

    letters: NDArray[np.uint32]
    """uint32[size]: the canonical code points."""
    offsets: NDArray[np.uint32]
    """uint32[size], ascending: where each letter came from, in code points of the text."""
    repeats_passages: bool
    """Whether a winnowed passage occurs twice: a cheap sign that the text repeats itself."""

    @property
    def canonical(self) -> str:
        return Canonical(self.letters, self.offsets).text()

    @property
    def shingle_sequence(self) -> NDArray[np.uint32]:
        """uint32[max(0, m-7)]: the shingles in text order, repeats included."""
        return shingle_sequence(self.letters)

    @property
    def shingles(self) -> NDArray[np.uint32]:
        """The set of shingles: uint32[s], distinct, ascending."""
        return np.unique(self.shingle_sequence)


@kernel
def sketch_kernel(letters, starts, sizes, multipliers, increments):  # type: ignore[no-untyped-def]
    """Return what is computed of each of n texts from its canonical letters.

    Returns:
        Signatures uint32[n, num_perm]; the passages of all texts uint64[p]; where those of each end, int64[n]; and
        whether one of its passages occurs twice, bool[n].
    """
    n = sizes.size
    signatures = np.empty((n, multipliers.size), np.uint32)
    passages = np.empty(sizes.sum(), np.uint64)
    ends = np.empty(n, np.int64)
    repeats = np.empty(n, np.bool_)
    end = 0
    for t in range(n):
        eights = hash_8_grams(letters[starts[t] : starts[t] + sizes[t]])
        signatures[t] = signature_kernel(shingle_kernel(eights), multipliers, increments)
        own, repeats[t] = passage_kernel(hash_24_grams(eights))
        passages[end : end + own.size] = own
        end += own.size
        ends[t] = end
    return signatures, passages[:end].copy(), ends, repeats


@kernel
def utf8_kernel(letters, starts, sizes):  # type: ignore[no-untyped-def]
    """Return the UTF-8 (RFC 3629) of each of n texts from its canonical letters, none of which is a surrogate.

    Returns:
        The bytes of all texts uint8[b], and where those of each end, int64[n].
    """
    total = 0
    for t in range(sizes.size):
        total += sizes[t]
    out = np.empty(4 * total, np.uint8)
    ends = np.empty(sizes.size, np.int64)
    end = 0
    for t in range(sizes.size):
        for i in range(starts[t], starts[t] + sizes[t]):
            code = letters[i]
            if code < 0x80:
                out[end] = code
                end += 1
            elif code < 0x800:
                out[end] = 0xC0 | code >> 6
                out[end + 1] = 0x80 | code & 0x3F
                end += 2
            elif code < 0x10000:
                out[end] = 0xE0 | code >> 12
                out[end + 1] = 0x80 | code >> 6 & 0x3F
                out[end + 2] = 0x80 | code & 0x3F
                end += 3
            else:
                out[end] = 0xF0 | code >> 18
                out[end + 1] = 0x80 | code >> 12 & 0x3F
                out[end + 2] = 0x80 | code >> 6 & 0x3F
                out[end + 3] = 0x80 | code & 0x3F
                end += 4
        ends[t] = end
    return out[:end], ends


def digests_of(texts: CanonicalTexts) -> list[bytes]:
    """Return the 16-byte digests of canonical forms."""
    utf8, ends = utf8_kernel(texts.letters, texts.starts, texts.sizes)
    data = memoryview(utf8)
    found, start = [], 0
    for end in ends.tolist():
        found.append(blake2b(data[start:end], digest_size=DIGEST_BYTES).digest())
        start = end
    return found


def fingerprint(text: str, profile: Profile = FA_1) -> Fingerprint:
    """Return the fingerprint of *text*. Total: any `str` has one, also one without letters."""
    return fingerprints_of(canonicalise_all([text]), profile)[0]


def fingerprints_of(texts: CanonicalTexts, profile: Profile = FA_1) -> list[Fingerprint]:
    """Return the fingerprints of texts whose canonical forms are at hand, by one call of compiled code."""
    signatures, passages, ends, repeats = sketch_kernel(
        texts.letters, texts.starts, texts.sizes, *permutations(profile.seed)
    )
    made = []
    start = 0
    for t, (end, repeated, digest) in enumerate(zip(ends.tolist(), repeats.tolist(), digests_of(texts), strict=True)):
        letters, offsets = texts.of(t)
        made.append(Fingerprint(letters.size, signatures[t], passages[start:end], digest, letters, offsets, repeated))
        start = end
    return made
