"""Hypothesis strategies for every public value, all fields filled."""

import dataclasses
from datetime import UTC, datetime, timedelta, timezone

from hypothesis import strategies as st

from baznashr import types

texts = st.text(max_size=20)
ids = st.text(min_size=1, max_size=20)
shares = st.floats(0, 1)
offsets = st.integers(0, 2**31 - 1)
counts = st.integers(0, 2**63 - 1)
# Fixed offsets: Python holds that a time which a zone's clock skips or repeats equals no time of another zone.
offsets_from_utc = st.integers(-840, 840).map(lambda minutes: timezone(timedelta(minutes=minutes)))
times = st.datetimes(timezones=offsets_from_utc, min_value=datetime(1800, 1, 1), max_value=datetime(9998, 1, 1))  # noqa: DTZ001
verdicts = st.sampled_from(types.Verdict)


def tuples_of(values):
    """Make short tuples."""
    return st.lists(values, max_size=3).map(tuple)


def filled(target, /, **fields):
    """Build values of *target*; a field that is left out would prove nothing, so none may be."""
    assert set(fields) == {field.name for field in dataclasses.fields(target)}
    return st.builds(target, **fields)


documents = filled(
    types.Document,
    id=texts,
    text=texts,
    title=texts,
    source=texts,
    url=texts,
    published_at=st.none() | times,
    labels=st.dictionaries(texts, texts, max_size=3),
)
stored_ids = filled(types.StoredId, id=texts, corpus=ids)
matches = filled(
    types.Match,
    document_id=texts,
    similarity=shares,
    containment=shares,
    reverse_containment=shares,
    covered=shares,
    numbers_changed=tuples_of(filled(types.NumberChange, old=texts, new=texts, context=texts)),
    verified=st.booleans(),
    spans=tuples_of(filled(types.MatchedSpan, start=offsets, end=offsets, stored_start=offsets, stored_end=offsets)),
    verdict=verdicts,
    reason=texts,
)
judgements = filled(
    types.Judgement,
    verdict=verdicts,
    repeated=st.booleans(),
    reason=texts,
    document_id=texts,
    corpus=texts,
    canonical_id=st.none() | ids,
    related_cluster_id=st.none() | ids,
    matches=tuples_of(matches),
    new_share=shares,
    self_repetition=filled(
        types.SelfRepetition,
        share=shares,
        kinds=tuples_of(st.sampled_from(types.RepetitionKind)),
        spans=tuples_of(filled(types.Span, start=offsets, end=offsets)),
    ),
    replayed=st.booleans(),
    stored=st.booleans(),
    profile=texts,
    policy=texts,
    digest=texts,
)
stored_documents = filled(types.StoredDocument, document=documents, judgement=judgements, arrived_at=times)
clusters = filled(
    types.Cluster,
    cluster_id=texts,
    canonical_id=texts,
    members=tuples_of(
        filled(
            types.ClusterMember,
            document_id=texts,
            verdict=verdicts,
            similarity=shares,
            source=texts,
            published_at=st.none() | times,
        )
    ),
    total=counts,
)
overrides = filled(
    types.Override,
    document_id=texts,
    kind=st.sampled_from(types.OverrideKind),
    target_id=st.none() | ids,
    note=texts,
    created_at=st.none() | times,
)
policies = filled(
    types.Policy,
    thresholds=filled(
        types.Thresholds,
        near_duplicate=shares,
        covered=shares,
        same_article=shares,
        extended=shares,
        numbers_changed=shares,
        template=shares,
        passage_letters=offsets,
    ),
    repeated_verdicts=st.lists(verdicts, unique=True).map(tuple),
    index_policy=st.sampled_from(types.IndexPolicy),
    source_ranks=tuples_of(texts),
)
corpora = filled(
    types.Corpus,
    name=texts,
    window_days=offsets,
    keep_text=st.booleans(),
    policy=policies,
    policy_version=texts,
    created_at=st.none() | times,
    shadow_policy=st.none() | policies,
)
shadow_differences = filled(
    types.ShadowDifference,
    document_id=texts,
    matched_id=st.none() | ids,
    verdict=verdicts,
    repeated=st.booleans(),
    reason=texts,
    shadow_verdict=verdicts,
    shadow_repeated=st.booleans(),
    shadow_reason=texts,
    at=times,
)
boilerplate = filled(types.Boilerplate, text=texts, documents=st.integers(0, 2**40), source=texts, document_id=ids)
corpus_stats = filled(
    types.CorpusStats,
    corpus=texts,
    documents=counts,
    indexed_documents=counts,
    clusters=counts,
    verdicts=st.dictionaries(verdicts.map(lambda verdict: verdict.value), counts),
    self_repeating=counts,
    text_bytes=counts,
    stored_bytes=counts,
    memory_bytes=counts,
    profile=texts,
    newest_published_at=st.none() | times,
)
server_statuses = filled(
    types.ServerStatus,
    version=texts,
    profile=texts,
    started_at=st.datetimes(timezones=st.just(UTC)),
    corpora=counts,
    documents=counts,
    memory_bytes=counts,
    read_only_reason=st.none() | ids,
)
backups = filled(types.Backup, path=texts, size_bytes=counts)
