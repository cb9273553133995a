"""Whether a data folder holds together: pages, rows, clusters, and the tables as they would be built from scratch."""

from pathlib import Path

from baznashr_server.engine import Engine
from baznashr_server.engine.clusters import seniority
from baznashr_server.engine.verify import differences, verify


def audit_folder(data: Path) -> None:
    """Check a folder that nobody owns."""
    report = verify(data)
    assert not report.faults, report.faults


def audit_engine(engine: Engine) -> None:
    """Check that the tables in memory are those built from the rows."""
    for corpus in engine._corpora:
        built = engine._tables.build(corpus.row)
        assert not differences(corpus.index.listing(), built.listing()), corpus.name
        assert corpus.documents == engine._store.count_and_newest(corpus.row.corpus)[0]


def audit_stars(engine: Engine, name: str = "default") -> None:
    """Check that each cluster's canonical document is a member, and the most senior where no editor spoke."""
    corpus = engine._corpora[name]
    rows = [
        row for (row,) in engine._store._rows("all", "SELECT row FROM documents WHERE corpus=?", (corpus.row.corpus,))
    ]
    documents = [document for row in rows if (document := engine._store.document_at(row))]
    spoken = {word.document_id for word in engine._store.overrides(corpus.row.corpus)}
    spoken |= {word.target_id for word in engine._store.overrides(corpus.row.corpus) if word.target_id}
    indexed = {document.digest for document in documents if document.indexed}
    clusters: dict[int, list] = {}
    for document in documents:
        clusters.setdefault(document.cluster, []).append(document)
    for number, members in clusters.items():
        cluster = engine._store.cluster(number)
        assert cluster is not None
        assert cluster.canonical in {member.row for member in members}
        # An editor may have moved a copy away from the document that stands for its text in the tables.
        assert any(member.digest in indexed for member in members), f"nothing leads to cluster {number}"
        if not cluster.pinned and not spoken & {member.id for member in members}:
            senior = min(members, key=lambda member: seniority(member, corpus.policy))
            assert cluster.canonical == senior.row
