"""From keys to a short, ranked list of candidates: count the tables' hits by slot, estimate, keep the best."""

from __future__ import annotations

import numpy as np

from baznashr_server.index.postings import count_kernel, find_kernel, touch_kernel
from baznashr_server.kernel import kernel
from baznashr_server.sketch.shingles import SIZE

MIN_SHINGLES = 8
"""Texts with fewer are found by their digest alone: a band of so small a set says next to nothing."""
MIN_LETTERS = MIN_SHINGLES + SIZE - 1
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
def _collect_telling(arrays, passages, sources, source, limits, out, telling):  # type: ignore[no-untyped-def]
    """Write the slots under those *passages* that are not boilerplate to *out* and return how many there are.

    Args:
        telling: bool[p], is set to say which they are.
    """
    end = 0
    for p in range(passages.size):
        after = find_kernel(arrays, passages[p], out, end)
        telling[p] = not _is_crowded(out, end, after, sources, source, limits)
        if telling[p]:
            end = after
    return end


@kernel
def _is_boilerplate(arrays, passage, sources, source, limits, slots):  # type: ignore[no-untyped-def]
    return _is_crowded(slots, 0, find_kernel(arrays, passage, slots, 0), sources, source, limits)


@kernel
def edges_kernel(arrays, passages, ends, sources, source_of_each, limits):  # type: ignore[no-untyped-def]
    """Return of n texts how many passages are boilerplate from the first on and from the last back, int64[n, 2].

    A passage is, if limits[0] slots or more hold it, or limits[1] slots of the text's source or more.
    """
    slots = np.empty(limits[0], np.int64)
    edges = np.zeros((ends.size, 2), np.int64)
    first = 0
    for t in range(ends.size):
        at, last, source = first, ends[t] - 1, source_of_each[t]
        while at <= last and _is_boilerplate(arrays, passages[at], sources, source, limits, slots):
            at += 1
        edges[t, 0] = at - first
        at = last
        while at >= first and _is_boilerplate(arrays, passages[at], sources, source, limits, slots):
            at -= 1
        edges[t, 1] = last - at
        first = ends[t]
    return edges


@kernel
def _rank(banded, shared, columns, signature, bounds):  # type: ignore[no-untyped-def]
    """Return the slots hit that may be candidates, with estimated similarity, shared passages and score of each."""
    state, letters, published, sketch, _, _, _ = columns
    least_state, own_letters, earliest, _ = bounds
    size = 16
    while size < 2 * (banded.size + shared.size):
        size *= 2
    table = np.zeros(size, np.int64)
    hits = np.zeros(size, np.int64)
    _count(shared, shared.size, table, hits)
    passage_hits = hits.copy()
    _count(banded, banded.size, table, hits)
    slots = np.empty(size, np.int64)
    estimates = np.empty(size, np.float64)
    counts = np.empty(size, np.int64)
    scores = np.empty(size, np.float64)
    n = 0
    perms = signature.size
    own_sketch = signature.astype(np.uint8)
    for at in range(size):
        slot = table[at] - 1
        if slot < 0 or state[slot] < least_state or published[slot] < earliest:
            continue
        equal = 0
        for j in range(perms):
            equal += sketch[slot, j] == own_sketch[j]
        # Bytes of unequal values agree by chance once in 256 (b-bit minwise hashing, Li and Koenig 2010).
        estimate = max(0.0, (equal / perms - 1 / 256) / (1 - 1 / 256))
        shorter = min(own_letters, np.int64(letters[slot]))
        slots[n] = slot
        estimates[n] = estimate
        counts[n] = passage_hits[at]
        scores[n] = max(estimate, min(1.0, 25.0 * passage_hits[at] / max(shorter, 25)))
        n += 1
    return slots[:n], estimates[:n], counts[:n], scores[:n]


@kernel
def _exact(digest_arrays, digest, columns, least_state, earliest):  # type: ignore[no-untyped-def]
    """Return the slots of the documents with this digest, the newest first."""
    state, _, published, _, _, rows, digests = columns
    found = np.empty(count_kernel(digest_arrays, digest[0]), np.int64)
    n = 0
    for i in range(find_kernel(digest_arrays, digest[0], found, 0)):
        slot = found[i]
        if state[slot] < least_state or published[slot] < earliest or digests[slot, 1] != digest[1]:
            continue
        if digests[slot, 0] == digest[0]:
            found[n] = slot
            n += 1
    return found[:n][np.argsort(-rows[found[:n]])]


@kernel
def _best(slots, estimates, scores, rows, most):  # type: ignore[no-untyped-def]
    """Return which of *slots* are the best *most*, best first: by score, by estimate, and the oldest before others.

    Scores of texts that hold the whole of another are all 1; where they are equal nothing may depend on where in the
    tables a document happens to be.
    """
    order = np.argsort(rows[slots])
    order = order[np.argsort(-estimates[order], kind="mergesort")]
    return order[np.argsort(-scores[order], kind="mergesort")][:most]


@kernel
def lookup_kernel(tables, columns, texts, limits, least_state, window, most):  # type: ignore[no-untyped-def]
    """Look up n texts: the best *most* documents for each, best first; those of equal text alone where there are any.

    Args:
        tables: The arrays of bands, passages and digests.
        columns: (state uint8[s], letters uint32[s], published int64[s], sketch uint8[s, 128], source uint32[s],
            row int64[s], digest uint64[s, 2]).
        texts: (signatures uint32[n, 128], digests uint64[n, 2], band keys uint64[n, b], passages uint64[p], where
            those of each end int64[n], letters int64[n], source keys int64[n]).
        limits: Slots, and slots of the text's own source, from which a passage is boilerplate.
        window: Least publish time of a document of equal text, and of another.

    Returns:
        Rows, publish times, estimated similarities and shared passages, [n, most] each; how many there are, int64[n];
        which passages are not boilerplate, bool[p]; and what `touch_kernel` gave.
    """
    band_arrays, passage_arrays, digest_arrays = tables
    signatures, digests, band_keys, passages, ends, letters, source_keys = texts
    published, sources, row = columns[2], columns[4], columns[5]
    n = ends.size
    rows = np.empty((n, most), np.int64)
    times = np.empty((n, most), np.int64)
    estimates = np.empty((n, most), np.float64)
    counts = np.empty((n, most), np.int64)
    found = np.zeros(n, np.int64)
    telling = np.zeros(passages.size, np.bool_)
    banded = np.empty(min(MAX_HITS, 64 * band_keys.shape[1] + 64), np.int64)
    start = 0
    touched = np.uint64(0)
    for t in range(n):
        own = passages[start : ends[t]]
        bounds = (least_state, letters[t], window[1], source_keys[t])
        exact = _exact(digest_arrays, digests[t], columns, least_state, window[0])
        if exact.size:
            found[t] = min(most, exact.size)
            for i in range(found[t]):
                rows[t, i], times[t, i], estimates[t, i], counts[t, i] = row[exact[i]], published[exact[i]], 1.0, 0
        elif letters[t] >= MIN_LETTERS:
            touched += touch_kernel(passage_arrays, own, 0, own.size)
            touched += touch_kernel(band_arrays, band_keys[t], 0, band_keys.shape[1])
            shared = np.empty(min(MAX_HITS, limits[0] * (own.size + 1)), np.int64)
            flags = telling[start : ends[t]]
            n_shared = _collect_telling(passage_arrays, own, sources, source_keys[t], limits, shared, flags)
            n_banded = _collect(band_arrays, band_keys[t], banded)
            if n_shared + n_banded:
                hit = _rank(banded[:n_banded], shared[:n_shared], columns, signatures[t], bounds)
                slots, estimate, count, scores = hit
                order = _best(slots, estimate, scores, row, most)
                found[t] = order.size
                for i in range(order.size):
                    at = order[i]
                    rows[t, i], times[t, i] = row[slots[at]], published[slots[at]]
                    estimates[t, i], counts[t, i] = estimate[at], count[at]
        start = ends[t]
    return rows, times, estimates, counts, found, telling, touched
