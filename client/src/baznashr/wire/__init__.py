"""Converts between the types of ``baznashr.types`` and the messages of ``baznashr.v1``; client and server share it.

Every ``x_to_message`` has an ``x_from_message`` that undoes it. Both raise an ``InvalidArgument`` that names the field
where a value cannot be carried: a lone surrogate, a naive time, an enum value this release does not know.
"""

from __future__ import annotations

from baznashr.wire._base import build, time_from_message, time_to_message
from baznashr.wire._cluster import (
    cluster_from_message,
    cluster_to_message,
    override_from_message,
    override_to_message,
)
from baznashr.wire._corpus import (
    backup_from_message,
    backup_to_message,
    boilerplate_from_message,
    boilerplate_to_message,
    corpus_from_message,
    corpus_name,
    corpus_stats_from_message,
    corpus_stats_to_message,
    corpus_to_message,
    policy_from_message,
    policy_to_message,
    server_status_from_message,
    server_status_to_message,
    shadow_difference_from_message,
    shadow_difference_to_message,
)
from baznashr.wire._document import (
    check_item_from_message,
    check_item_to_message,
    compare_item_from_message,
    compare_item_to_message,
    document_from_message,
    document_to_message,
    stored_document_from_message,
    stored_document_to_message,
)
from baznashr.wire._judgement import (
    judgement_from_message,
    judgement_to_message,
)

__all__ = [
    "backup_from_message",
    "backup_to_message",
    "boilerplate_from_message",
    "boilerplate_to_message",
    "build",
    "check_item_from_message",
    "check_item_to_message",
    "cluster_from_message",
    "cluster_to_message",
    "compare_item_from_message",
    "compare_item_to_message",
    "corpus_from_message",
    "corpus_name",
    "corpus_stats_from_message",
    "corpus_stats_to_message",
    "corpus_to_message",
    "document_from_message",
    "document_to_message",
    "judgement_from_message",
    "judgement_to_message",
    "override_from_message",
    "override_to_message",
    "policy_from_message",
    "policy_to_message",
    "server_status_from_message",
    "server_status_to_message",
    "shadow_difference_from_message",
    "shadow_difference_to_message",
    "stored_document_from_message",
    "stored_document_to_message",
    "time_from_message",
    "time_to_message",
]
