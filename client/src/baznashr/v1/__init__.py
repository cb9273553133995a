"""Generated code of the wire contract, package ``baznashr.v1``. Use ``baznashr.wire`` to convert its messages."""
