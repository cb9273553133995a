"""The Kafka consumer, against the mock cluster of the real library."""

import json
import time

import pytest

from baznashr import Client, Judgement, Verdict, errors
from baznashr.pipeline import RepeatGuard
from baznashr.testing import StubServer

kafka = pytest.importorskip("confluent_kafka", reason="the dependency group integrations is not installed")
pytestmark = pytest.mark.packaging


@pytest.fixture
def cluster():
    """A producer that holds a mock cluster, and the cluster's address."""
    producer = kafka.Producer({"test.mock.num.brokers": 1, "log_level": 2})
    broker = next(iter(producer.list_topics(timeout=10).brokers.values()))
    return producer, f"{broker.host}:{broker.port}"


def consumer_of(address):
    """Return a consumer that starts where its group has committed."""
    consumer = kafka.Consumer(
        {
            "bootstrap.servers": address,
            "group.id": "store",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "log_level": 2,
        }
    )
    consumer.subscribe(["news"])
    return consumer


def test_messages_pass_once_and_in_order(cluster, tmp_path):
    """Through an outage and a consumer that dies, each new article is stored under its id, in order, and no copy is."""
    from kafka_consumer import consume

    producer, address = cluster
    for number in range(200):
        producer.produce("news", json.dumps({"text": f"خبر {number}"}), key=f"d{number}", partition=0)
    producer.flush(10)
    stored = []
    give_up = time.monotonic() + 40

    def store(document):
        """Die once, before storing."""
        if len(stored) == 150 and deaths:
            deaths.clear()
            raise ConnectionError("the database is gone")
        stored.append(document.id)

    def running():
        """Go on until all messages are dealt with; fail the service for a while."""
        if len(stored) >= 64 and outages:
            server.fail(outages.pop())
        assert time.monotonic() < give_up
        return len(set(stored)) < 199 or guard.waiting

    deaths = [True]
    outages = [errors.ReadOnly("The disk is full.")] * 3
    with StubServer() as server, Client(server.address) as client:
        server.judgements["d7"] = Judgement(Verdict.EXACT, repeated=True, reason="SAME_TEXT", canonical_id="d6")
        options = {"on_unavailable": "spool", "spool": tmp_path / "spool", "max_pause": 0.1}
        with RepeatGuard(client, **options) as guard:
            consumer = consumer_of(address)
            with pytest.raises(ConnectionError):
                consume(consumer, guard, store, running)
            consumer.close()
            consumer = consumer_of(address)
            consume(consumer, guard, store, running)
            consumer.close()
    assert list(dict.fromkeys(stored)) == [f"d{n}" for n in range(200) if n != 7]
    assert not outages


@pytest.mark.parametrize("batch", [1, 64])
def test_tombstones_are_passed_over(cluster, batch):
    """Messages without a value, alone in a batch or not, stop nothing, and the group does not get them again."""
    from kafka_consumer import consume

    producer, address = cluster
    for value in ("یک", None, "دو", None):
        producer.produce("news", value and json.dumps({"text": value}), key=value, partition=0)
    producer.flush(10)
    place = kafka.TopicPartition("news", 0)
    stored = []
    give_up = time.monotonic() + 40

    def running():
        """Go on until the group has gone beyond the last."""
        assert time.monotonic() < give_up
        return consumer.committed([place], timeout=10)[0].offset < 4

    with StubServer() as server, Client(server.address) as client, RepeatGuard(client) as guard:
        consumer = consumer_of(address)
        consume(consumer, guard, stored.append, running, batch=batch)
        consumer.close()
    assert [document.text for document in stored] == ["یک", "دو"]
