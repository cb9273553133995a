"""A Kafka consumer that stores only what is new, with confluent-kafka.

Offsets are committed when each message of a batch is stored, dropped, or on the guard's disk. A consumer that dies
before that gets the batch again, and the same verdicts with it: store by id. A message without a value (a tombstone,
where the topic is compacted) holds no article and is passed over.
"""

import json

from baznashr import Document


def to_document(message):
    """Return the article of a message: JSON with a text and perhaps a title; its key, or else its place, is its id."""
    article = json.loads(message.value())
    place = f"{message.topic()}/{message.partition()}/{message.offset()}"
    name = message.key().decode() if message.key() else place
    return Document(id=name, text=article["text"], title=article.get("title", ""), labels={"message": place})


def consume(consumer, guard, store, running, *, batch=64, seconds=1.0):
    """Pass messages through *guard* to *store* while *running()*.

    Args:
        consumer: A subscribed ``confluent_kafka.Consumer`` with ``"enable.auto.commit": False``.
        guard: A ``baznashr.pipeline.RepeatGuard``, best with ``on_unavailable="spool"``.
        store: Called with each document that is new.
        running: Asked before each batch.
        batch: Messages taken at once.
        seconds: How long to wait for them.
    """
    while running():
        messages = [message for message in consumer.consume(batch, seconds) if message.error() is None]
        # Without messages too: what waits on disk is judged as soon as the service is back.
        articles = (to_document(message) for message in messages if message.value() is not None)
        for document in guard.only_new(articles, on_refused="skip"):
            store(document)
        if messages:
            consumer.commit(asynchronous=False)
