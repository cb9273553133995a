"""For the tests of programs that use the client: a stub server that answers as it is told, and a real one.

    from baznashr.testing import StubServer

    with StubServer() as server, Client(server.address) as client:
        server.judgements["b7"] = Judgement(Verdict.NEAR_DUPLICATE, repeated=True, reason="SAME_ARTICLE_EDITED")
        server.fail(errors.Unavailable("Maintenance."), times=2)

``baznashr.testing.pytest_plugin`` has fixtures.
"""

from __future__ import annotations

from baznashr.testing._real import real_server
from baznashr.testing._stub import StubServer

__all__ = ["StubServer", "real_server"]
