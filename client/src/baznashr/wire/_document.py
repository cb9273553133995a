"""Documents, and what may stand where a text is asked for."""

from __future__ import annotations

from baznashr import types
from baznashr.errors import InvalidDocument
from baznashr.v1 import check_service_pb2, document_pb2
from baznashr.wire._base import build, required_time, time_from_message, time_to_message, wrong_type
from baznashr.wire._corpus import corpus_name
from baznashr.wire._judgement import judgement_from_message, judgement_to_message


def document_to_message(document: types.Document) -> document_pb2.Document:
    if not isinstance(document, types.Document):
        raise TypeError(f"A Document is asked for, not {type(document).__name__}.")
    # Protobuf takes None for a string that is not set, and bytes for a string.
    if not isinstance(document.id, str):
        raise wrong_type("id", document.id)
    if not isinstance(document.text, str):
        raise wrong_type("text", document.text)
    try:
        labels = dict(document.labels)
    except (TypeError, ValueError):
        raise wrong_type("labels", document.labels, "a mapping of strings") from None
    return build(
        document_pb2.Document,
        id=document.id,
        text=document.text,
        title=document.title,
        source=document.source,
        url=document.url,
        published_at=time_to_message(document.published_at, "published_at"),
        labels=labels,
    )


def document_from_message(message: document_pb2.Document) -> types.Document:
    return types.Document(
        id=message.id,
        text=message.text,
        title=message.title,
        source=message.source,
        url=message.url,
        published_at=time_from_message(message, "published_at"),
        labels=dict(message.labels),
    )


def check_item_to_message(item: str | types.Document) -> check_service_pb2.CheckItem:
    if isinstance(item, types.Document):
        return check_service_pb2.CheckItem(document=document_to_message(item))
    if not isinstance(item, str):
        raise TypeError(f"A text or a Document is asked for, not {type(item).__name__}.")
    return build(check_service_pb2.CheckItem, text=item)


def check_item_from_message(message: check_service_pb2.CheckItem) -> str | types.Document:
    content = message.WhichOneof("content")
    if content == "document":
        return document_from_message(message.document)
    if content == "text":
        return message.text
    raise InvalidDocument("Neither a text nor a document is given.")


def compare_item_to_message(item: str | types.Document | types.StoredId) -> check_service_pb2.CompareItem:
    if isinstance(item, types.StoredId):
        return check_service_pb2.CompareItem(stored_id=build(document_pb2.StoredId, corpus=item.corpus, id=item.id))
    check_item = check_item_to_message(item)
    if check_item.HasField("document"):
        return check_service_pb2.CompareItem(document=check_item.document)
    return check_service_pb2.CompareItem(text=check_item.text)


def compare_item_from_message(message: check_service_pb2.CompareItem) -> str | types.Document | types.StoredId:
    content = message.WhichOneof("content")
    if content == "stored_id":
        return types.StoredId(id=message.stored_id.id, corpus=corpus_name(message.stored_id.corpus))
    if content == "document":
        return document_from_message(message.document)
    if content == "text":
        return message.text
    raise InvalidDocument("Neither a text nor a document nor a stored id is given.")


def stored_document_to_message(stored: types.StoredDocument) -> document_pb2.StoredDocument:
    return document_pb2.StoredDocument(
        document=document_to_message(stored.document),
        judgement=judgement_to_message(stored.judgement),
        arrived_at=time_to_message(stored.arrived_at, "arrived_at"),
    )


def stored_document_from_message(message: document_pb2.StoredDocument) -> types.StoredDocument:
    return types.StoredDocument(
        document=document_from_message(message.document),
        judgement=judgement_from_message(message.judgement),
        arrived_at=required_time(message, "arrived_at"),
    )
