"""The profile's arithmetic in plain Python, slow and obvious."""

BASE = 0x9E3779B97F4A7C15
MASK = (1 << 64) - 1


def fmix64(h: int) -> int:
    """MurmurHash3's 64-bit finalizer."""
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        h = (h ^ h >> 33) * multiplier & MASK
    return h ^ h >> 33


def gram_hashes(letters: list[int], size: int) -> list[int]:
    """Return the polynomial hash modulo 2^64 of every *size* letters, unmixed."""
    return [
        sum(letter * pow(BASE, size - 1 - i, 1 << 64) for i, letter in enumerate(letters[at : at + size])) & MASK
        for at in range(len(letters) - size + 1)
    ]


def shingles(letters: list[int]) -> list[int]:
    """Return 32 bits for every 8 letters."""
    return [fmix64(value) >> 32 for value in gram_hashes(letters, 8)]


def passage_hashes(letters: list[int]) -> list[int]:
    """Return 64 bits for every 24 letters."""
    return [fmix64(value) for value in gram_hashes(letters, 24)]


def winnow(hashes: list[int], window: int = 48) -> list[int]:
    """Return the positions of the least hash of each window, the rightmost of equals; of all where none fits."""
    if not hashes:
        return []
    windows = range(max(1, len(hashes) - window + 1))
    return sorted({max(range(at, min(at + window, len(hashes))), key=lambda i: (-hashes[i], i)) for at in windows})
