"""What an editor's word changes in the store."""

from __future__ import annotations

from baznashr.errors import DocumentNotFound, InvalidArgument
from baznashr.types import Override, OverrideKind
from baznashr_server.engine.clusters import seniority
from baznashr_server.engine.corpus import LoadedCorpus
from baznashr_server.store.rows import DocumentRow, OverrideRow
from baznashr_server.store.store import Store


def apply_override(store: Store, corpus: LoadedCorpus, override: Override, now: int) -> OverrideRow:
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
                raise InvalidArgument("must name the repeated document", reason="INVALID_FIELD", field="target_id")
            if target.cluster != document.cluster:
                _leave(store, corpus, document)
                store.set_cluster(document.row, target.cluster)
        case OverrideKind.NOT_REPEAT:
            if target is None or target.cluster == document.cluster:
                _leave(store, corpus, document)
                store.set_cluster(document.row, document.row)
                store.insert_cluster(document.row, document.corpus, document.row)
    return row


def _find(store: Store, corpus: LoadedCorpus, document_id: str, field: str) -> DocumentRow:
    row = store.document(corpus.row.corpus, document_id)
    if row is None:
        raise DocumentNotFound(
            "No such document is stored.", field=field, metadata={"document_id": document_id, "corpus": corpus.name}
        )
    return row


def _leave(store: Store, corpus: LoadedCorpus, document: DocumentRow) -> None:
    """Take a document out of its cluster; the most senior of those that stay becomes canonical if it was."""
    cluster = store.cluster(document.cluster)
    rest = [member for member in store.members(document.cluster, limit=-1) if member.row != document.row]
    if not rest:
        store.delete_cluster(document.cluster)
    elif cluster is not None and cluster.canonical == document.row:
        heir = min(rest, key=lambda member: seniority(member, corpus.policy))
        if document.cluster == document.row:
            # The founder's row names the cluster; those that stay are named anew by their canonical document.
            store.delete_cluster(document.cluster)
            store.insert_cluster(heir.row, document.corpus, heir.row)
            for member in rest:
                store.set_cluster(member.row, heir.row)
        else:
            store.update_cluster(document.cluster, heir.row, pinned=False)
