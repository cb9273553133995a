"""Rows that contradict each other. All functions take a connection and read only."""

from __future__ import annotations

import apsw


def all_rows(connection: apsw.Connection) -> list[int]:
    """Return the rows of all documents, ascending."""
    return _numbers(connection, "SELECT row FROM documents INDEXED BY documents_by_cluster ORDER BY row")


def clusters_without_row(connection: apsw.Connection) -> list[tuple[int, int]]:
    """Return clusters that documents name and that have no row, with the documents' corpus."""
    sql = (
        "SELECT cluster, min(corpus) FROM documents WHERE cluster NOT IN (SELECT cluster FROM clusters)"
        " AND corpus NOT IN (SELECT corpus FROM dropped_corpora) GROUP BY cluster"
    )
    return [(int(cluster), int(corpus)) for cluster, corpus in connection.execute(sql)]


def clusters_without_member(connection: apsw.Connection) -> list[int]:
    """Return clusters that no document names."""
    sql = (
        "SELECT cluster FROM clusters WHERE NOT EXISTS"
        " (SELECT 1 FROM documents WHERE documents.cluster = clusters.cluster)"
        " AND corpus NOT IN (SELECT corpus FROM dropped_corpora)"
    )
    return _numbers(connection, sql)


def clusters_without_canonical(connection: apsw.Connection) -> list[tuple[int, int]]:
    """Return clusters with members of which the canonical document is none, with their corpus."""
    sql = (
        "SELECT cluster, corpus FROM clusters WHERE NOT EXISTS"
        " (SELECT 1 FROM documents WHERE row = canonical AND documents.cluster = clusters.cluster)"
        " AND EXISTS (SELECT 1 FROM documents WHERE documents.cluster = clusters.cluster)"
        " AND corpus NOT IN (SELECT corpus FROM dropped_corpora)"
    )
    return [(int(cluster), int(corpus)) for cluster, corpus in connection.execute(sql)]


def clusters_without_head(connection: apsw.Connection) -> list[tuple[int, int]]:
    """Return clusters of which no member is in the tables with its passages, and their canonical document's row.

    Excerpts of their texts find them by nothing.
    """
    sql = (
        "SELECT cluster, canonical FROM clusters WHERE NOT EXISTS"
        " (SELECT 1 FROM documents WHERE documents.cluster = clusters.cluster AND indexed = 2)"
        " AND EXISTS (SELECT 1 FROM documents WHERE row = canonical AND documents.cluster = clusters.cluster)"
        " AND corpus NOT IN (SELECT corpus FROM dropped_corpora)"
    )
    return [(int(cluster), int(canonical)) for cluster, canonical in connection.execute(sql)]


def clusters_of_two_corpora(connection: apsw.Connection) -> list[int]:
    """Return clusters with a document of another corpus than their own."""
    sql = (
        "SELECT DISTINCT cluster FROM documents JOIN clusters USING (cluster) WHERE documents.corpus <> clusters.corpus"
    )
    return _numbers(connection, sql)


def corpora_without_row(connection: apsw.Connection) -> list[int]:
    """Return corpora that documents name, that do not exist and that nobody dropped."""
    sql = (
        "SELECT DISTINCT corpus FROM documents WHERE corpus NOT IN (SELECT corpus FROM corpora)"
        " AND corpus NOT IN (SELECT corpus FROM dropped_corpora)"
    )
    return _numbers(connection, sql)


def rows_with_strange_flag(connection: apsw.Connection) -> list[int]:
    """Return rows whose `indexed` means nothing."""
    return _numbers(connection, "SELECT row FROM documents WHERE indexed NOT IN (0, 1, 2)")


def texts_in_no_table(connection: apsw.Connection, corpus: int, *, every: bool, beside_heads: bool) -> list[int]:
    """Return, for each text of which no copy belongs in the tables, the row that came first.

    Args:
        every: Look at every text; else only at those that a document was judged EXACT to.
        beside_heads: Look also at members of clusters that another member's passages lead to.
    """
    head = "SELECT 1 FROM documents AS head WHERE head.cluster = documents.cluster AND head.indexed = 2"
    sql = (
        f"SELECT min(row) FROM documents WHERE corpus = ? AND (? OR NOT EXISTS ({head})) GROUP BY digest"  # noqa: S608 - our own names
        " HAVING max(indexed) = 0 AND (? OR max(verdict = 'EXACT'))"
    )
    return _numbers(connection, sql, (corpus, beside_heads, every))


def _numbers(connection: apsw.Connection, sql: str, values: tuple[int, ...] = ()) -> list[int]:
    return [int(number) for (number,) in connection.execute(sql, values)]
