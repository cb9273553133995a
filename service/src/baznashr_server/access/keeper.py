"""Decides, call by call, who calls and whether they may."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from baznashr.errors import PermissionDenied, QuotaExceeded, Unauthenticated
from baznashr_server.access.quota import Bucket
from baznashr_server.access.tokens import Scope, Token, Tokens

_BEARER = b"bearer "


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls, by which token; anybody where no tokens are asked for."""

    token: Token | None
    bucket: Bucket | None

    @property
    def name(self) -> str:
        return self.token.name if self.token else ""

    def require(self, scope: Scope) -> None:
        """Raise PermissionDenied unless the token has *scope*."""
        if self.token and scope not in self.token.scopes:
            raise PermissionDenied(
                f"The token of {self.name} has not the scope {scope}.", metadata={"scope": str(scope)}
            )

    def require_corpora(self, corpora: Iterable[str] | None) -> None:
        """Raise PermissionDenied unless the token is for all of *corpora*; None stands for all there are."""
        if not self.token or self.token.corpora is None:
            return
        if corpora is None:
            raise PermissionDenied(
                f"The token of {self.name} is for some corpora, and this call concerns them all.",
                metadata={"corpus": ""},
            )
        for corpus in corpora:
            if corpus not in self.token.corpora:
                raise PermissionDenied(
                    f"The token of {self.name} is not for this corpus.", metadata={"corpus": corpus[:64]}
                )

    def spend(self, documents: int) -> None:
        """Raise QuotaExceeded, which says when to come back, unless *documents* are within the caller's quota."""
        seconds = self.bucket.take(max(1, documents)) if self.bucket else 0.0
        if seconds:
            raise QuotaExceeded(
                f"The quota of {self.name} is used up for now.",
                metadata={"retry_after_ms": str(math.ceil(seconds * 1000))},
            )


_ANYBODY = Caller(None, None)


class Keeper:
    """Knows the tokens in force, None for none needed. Belongs to one event loop."""

    def __init__(self, tokens: Tokens | None) -> None:
        self._tokens = tokens
        self._buckets: dict[str, Bucket] = {}
        if tokens:
            self.replace(tokens)

    def replace(self, tokens: Tokens) -> None:
        """Take *tokens* for those in force; a quota that did not change goes on as it stands."""
        buckets = {}
        for token in tokens.all:
            if token.documents_per_second is not None:
                new = Bucket(token.documents_per_second, token.burst)
                old = self._buckets.get(token.name)
                same = old is not None and (old.rate, old.burst) == (new.rate, new.burst)
                buckets[token.name] = old if old is not None and same else new
        self._tokens, self._buckets = tokens, buckets

    def caller(self, authorization: bytes | None) -> Caller:
        """Return who sent *authorization*, the value of that header.

        Raises:
            Unauthenticated: It is missing where it is needed, or is no token in force.
        """
        if self._tokens is None:
            return _ANYBODY
        if authorization is None:
            raise Unauthenticated("The call has no token: send the header `authorization: Bearer TOKEN`.")
        scheme, presented = authorization[: len(_BEARER)], authorization[len(_BEARER) :]
        token = self._tokens.find(presented) if scheme.lower() == _BEARER else None
        if token is None:
            raise Unauthenticated("The token is none that is in force here.")
        return Caller(token, self._buckets.get(token.name))
