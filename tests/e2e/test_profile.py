"""A server that is told another profile answers under the old one, and under the new one from the start after."""

from pathlib import Path
from random import Random

from baznashr import Client
from baznashr.types import Document
from tests.support.server import serving
from tests.support.texts import article


def test_a_server_changes_its_profile_between_two_starts(tmp_path: Path) -> None:
    """Told once, it stays under the old profile for as long as it runs; the next start has the new one for good.

    The metrics say which.
    """
    documents = [Document(str(n), article(Random(n))) for n in range(20)]
    seen, told = [], []
    for flags in ([], ["--profile", "fa-1b"], []):
        with serving(tmp_path / "data", *flags) as server, Client(server.listen) as client:
            told.append({dict(labels)["profile"] for name, labels in server.scrape() if name == "baznashr_build_info"})
            answers = list(client.ingest_many(documents))
            seen.append({(answer.profile, answer.replayed) for answer in answers})
            assert client.check(documents[3].text).canonical_id == "3"
    assert seen == [{("fa-1", False)}, {("fa-1", True)}, {("fa-1b", True)}]
    assert told == [{"fa-1"}, {"fa-1"}, {"fa-1b"}]
