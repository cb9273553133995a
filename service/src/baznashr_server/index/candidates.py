"""From keys to a short, ranked list of candidates: count the tables' hits by slot, estimate, keep the best."""

from __future__ import annotations

import numpy as np

from baznashr_server.index.postings import find_kernel
from baznashr_server.kernel import kernel

MAX_HITS = 1 << 16
"""Postings read for one query; only a text of hundreds of thousands of letters comes near."""


@kernel
def _count(slots, n, table, table_hits):  # type: ignore[no-untyped-def]
    """Add the first *n* of *slots* to an open-addressing counter; zero is free, so slots are kept plus one."""
    mask = table.size - 1
    for i in range(n):
        wanted = slots[i] + 1
        at = np.int64((np.uint64(wanted) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & mask
        while table[at] != 0 and table[at] != wanted:
            at = (at + 1) & mask
        table[at] = wanted
        table_hits[at] += 1


@kernel
def _collect(arrays, keys, out):  # type: ignore[no-untyped-def]
    """Write the slots under all *keys* to *out* and return how many there are."""
    end = 0
    for key in keys:
        end = find_kernel(arrays, key, out, end)
    return end


@kernel
def _is_crowded(slots, start, end, sources, source, limits):  # type: ignore[no-untyped-def]
    """Whether slots[start:end] are limits[0] or more, or hold limits[1] of *source* or more; 0 is no source."""
    most, most_of_source = limits
    if end - start >= most:
        return True
    alike = 0
    if source != 0:
        for k in range(start, end):
            alike += sources[slots[k]] == source
    return alike >= most_of_source


@kernel
def _collect_telling(arrays, passages, sources, source, limits, out):  # type: ignore[no-untyped-def]
    """Write the slots under those *passages* that are not boilerplate to *out* and return how many there are."""
    end = 0
    for passage in passages:
        after = find_kernel(arrays, passage, out, end)
        if not _is_crowded(out, end, after, sources, source, limits):
            end = after
    return end


@kernel
def boilerplate_kernel(arrays, passages, sources, source, limits):  # type: ignore[no-untyped-def]
    """Return bool[p]: passages with limits[0] slots or more, or with limits[1] slots of *source* or more."""
    flags = np.zeros(passages.size, np.bool_)
    slots = np.empty(limits[0], np.int64)
    for p in range(passages.size):
        count = find_kernel(arrays, passages[p], slots, 0)
        flags[p] = _is_crowded(slots, 0, count, sources, source, limits)
    return flags


@kernel
def candidate_kernel(band_arrays, band_keys, passage_arrays, passages, limits, columns, signature, bounds, limit):  # type: ignore[no-untyped-def]
    """Return the best *limit* slots with their estimated similarity and shared passages, best first.

    Args:
        limits: slots, and slots of the text's own source, from which a passage is boilerplate.
        columns: (state uint8[s], letters uint32[s], published int64[s], sketch uint8[s, 128], source uint32[s]).
        bounds: (least state, own letters, earliest publish time, own source or 0).
    """
    state, letters, published, sketch, sources = columns
    least_state, own_letters, earliest, source = bounds
    banded = np.empty(min(MAX_HITS, 64 * band_keys.size + 64), np.int64)
    shared = np.empty(min(MAX_HITS, limits[0] * (passages.size + 1)), np.int64)
    n_banded = _collect(band_arrays, band_keys, banded)
    n_shared = _collect_telling(passage_arrays, passages, sources, source, limits, shared)
    size = 16
    while size < 2 * (n_banded + n_shared):
        size *= 2
    table = np.zeros(size, np.int64)
    hits = np.zeros(size, np.int64)
    _count(shared, n_shared, table, hits)
    passage_hits = hits.copy()
    _count(banded, n_banded, table, hits)
    slots = np.empty(size, np.int64)
    estimates = np.empty(size, np.float64)
    counts = np.empty(size, np.int64)
    scores = np.empty(size, np.float64)
    n = 0
    perms = signature.size
    for at in range(size):
        slot = table[at] - 1
        if slot < 0 or state[slot] < least_state or published[slot] < earliest:
            continue
        equal = 0
        for j in range(perms):
            equal += sketch[slot, j] == np.uint8(signature[j] & np.uint32(0xFF))
        # Bytes of unequal values agree by chance once in 256 (b-bit minwise hashing, Li and Koenig 2010).
        estimate = max(0.0, (equal / perms - 1 / 256) / (1 - 1 / 256))
        shorter = min(own_letters, np.int64(letters[slot]))
        slots[n] = slot
        estimates[n] = estimate
        counts[n] = passage_hits[at]
        scores[n] = max(estimate, min(1.0, 25.0 * passage_hits[at] / max(shorter, 25)))
        n += 1
    order = np.argsort(-(scores[:n] + 1e-12 * (n - np.arange(n))))[:limit]
    return slots[:n][order], estimates[:n][order], counts[:n][order], n
