"""What an editor's word changes in the store."""

from __future__ import annotations

from baznashr.errors import DocumentNotFound, InvalidArgument
from baznashr.types import Override, OverrideKind
from baznashr_server.engine import clusters
from baznashr_server.engine.corpus import WITH_BANDS, WITH_PASSAGES, LoadedCorpus
from baznashr_server.engine.writer import Changes
from baznashr_server.store.rows import DocumentRow, OverrideRow
from baznashr_server.store.store import Store


def apply_override(store: Store, changes: Changes, corpus: LoadedCorpus, override: Override, now: int) -> OverrideRow:
    """Store the override and move the document to the cluster it belongs to by it."""
    document = _find(store, corpus, override.document_id, "document_id")
    target = _find(store, corpus, override.target_id, "target_id") if override.target_id else None
    row = OverrideRow(
        corpus.row.corpus, override.document_id, override.kind.value, override.target_id, override.note, now
    )
    store.put_override(row)
    match override.kind:
        case OverrideKind.PIN_CANONICAL:
            store.update_cluster(document.cluster, document.row, pinned=True)
        case OverrideKind.REPEAT_OF:
            if target is None:
                raise InvalidArgument(
                    "The override must name the document that is repeated.", reason="INVALID_FIELD", field="target_id"
                )
            if target.cluster != document.cluster:
                clusters.leave(store, changes, corpus, document)
                store.set_cluster(document.row, target.cluster)
                if not document.indexed:
                    # Who stood for it in the tables, as an equal text or as its original, is not in its cluster now.
                    clusters.index_as(store, changes, corpus, document, WITH_BANDS)
        case OverrideKind.NOT_REPEAT:
            if target is None or target.cluster == document.cluster:
                clusters.leave(store, changes, corpus, document)
                clusters.found(store, document)
                if document.indexed != WITH_PASSAGES:
                    clusters.index_as(store, changes, corpus, document, WITH_PASSAGES)
    return row


def _find(store: Store, corpus: LoadedCorpus, document_id: str, field: str) -> DocumentRow:
    row = store.document(corpus.row.corpus, document_id)
    if row is None:
        raise DocumentNotFound(
            "No such document is stored.", field=field, metadata={"document_id": document_id, "corpus": corpus.name}
        )
    return row
