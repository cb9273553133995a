"""Tokens: who has which, and what each may do, from one TOML file.

Tokens are random, 256 bits of them, so a plain SHA-256 keeps what the file holds from being used: there is nothing to
guess, and salt or slow hashing would add nothing but time to every call.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import tomllib
from collections import Counter
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from baznashr_server.access.files import AccessError, exposure, read
from baznashr_server.limits import MAX_TOKENS

PREFIX = "bzr_"
"""Of the tokens that the command makes, so that scanners for leaked secrets can know them."""
MIN_TOKEN_CHARS = 32
_TOKEN = re.compile(rb"[\x21-\x7e]+")


class Scope(StrEnum):
    """What a call needs to be allowed; none includes another."""

    READ = "read"
    WRITE = "write"
    ADMIN = "admin"


class Token(BaseModel):
    """One entry of the file: a caller, what proves it, and what it may do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    """Of the caller, for logs; never the token."""
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] = Field("", repr=False)
    """The token's digest in lower-case hexadecimal."""
    file: Path | None = None
    """Instead of the digest, a file that holds the token alone; relative to the file of tokens."""
    scopes: Annotated[frozenset[Scope], Field(min_length=1)]
    corpora: Annotated[frozenset[str], Field(min_length=1)] | None = None
    """The corpora it may name; None is all of them, and the calls that concern no single one."""
    documents_per_second: Annotated[float, Field(gt=0, le=1e9)] | None = None
    """Mean rate; a call counts as its documents, one at least. None sets no limit."""
    burst: Annotated[float, Field(ge=1, le=1e9)] | None = None
    """Documents at once after a pause; what comes in a second, at least one, by default."""

    @model_validator(mode="after")
    def _proved_in_one_way(self) -> Token:
        if bool(self.sha256) == bool(self.file):
            raise ValueError("give either sha256 or file")
        if self.burst is not None and self.documents_per_second is None:
            raise ValueError("burst needs documents_per_second")
        return self


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: Annotated[list[Token], Field(max_length=MAX_TOKENS)] = []


class Tokens:
    """The tokens in force."""

    def __init__(self, tokens: tuple[Token, ...]) -> None:
        self.all = tokens
        self._digests = [(bytes.fromhex(token.sha256), token) for token in tokens]

    def find(self, presented: bytes) -> Token | None:
        """Return the token that *presented* is, None for none, in a time that tells nothing about either."""
        digest = hashlib.sha256(presented).digest()
        found = None
        for known, token in self._digests:
            if hmac.compare_digest(known, digest):
                found = token
        return found

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Tokens) and self.all == other.all

    __hash__ = None  # type: ignore[assignment]  # compared when the file was read again, never looked up


def read_tokens(path: Path) -> tuple[Tokens, list[str]]:
    """Read the file of tokens and those it names; return them with warnings about who else may read them.

    Raises:
        AccessError: A file cannot be read, a key is unknown, a value is refused, or two entries are one.
    """
    data = read(path)
    try:
        content = tomllib.loads(data.decode())
    except (ValueError, RecursionError) as error:  # of TOML, of UTF-8, of a number too long, of brackets too deep
        raise AccessError(f"{path} is no TOML: {error}") from None
    try:
        entries = _File.model_validate(content).token
    except ValidationError as error:
        raise AccessError("\n".join(f"{path}: {_sentence(violation)}" for violation in error.errors())) from None
    warnings = [exposure(path)]
    tokens = []
    for entry in entries:
        if entry.file is not None:
            file = path.parent / entry.file
            digest = hashlib.sha256(_token_in(file)).hexdigest()
            warnings.append(exposure(file))
            entry = entry.model_copy(update={"sha256": digest})  # noqa: PLW2901 - the same entry, with its digest
        tokens.append(entry)
    for attribute, what in (("name", "name"), ("sha256", "token")):
        twice = [value for value, count in Counter(getattr(token, attribute) for token in tokens).items() if count > 1]
        if twice:
            who = ", ".join(token.name for token in tokens if getattr(token, attribute) in twice)
            raise AccessError(f"{path}: these entries have the same {what}: {who}")
    return Tokens(tuple(tokens)), [warning for warning in warnings if warning]


def _token_in(file: Path) -> bytes:
    token = read(file).strip()
    if not _TOKEN.fullmatch(token) or len(token) < MIN_TOKEN_CHARS:
        raise AccessError(f"{file} holds no token: one line of {MIN_TOKEN_CHARS} or more visible ASCII characters")
    return token


def entry_for(name: str, scopes: list[str]) -> tuple[str, str]:
    """Return a new random token and its entry for the file of tokens.

    Raises:
        AccessError: The name or a scope is none.
    """
    token = PREFIX + secrets.token_urlsafe(32)
    digest = hashlib.sha256(token.encode()).hexdigest()
    try:
        entry = Token(name=name, sha256=digest, scopes=scopes)  # type: ignore[arg-type]  # pydantic reads the strings
    except ValidationError as error:
        raise AccessError("\n".join(_sentence(violation) for violation in error.errors())) from None
    listed = ", ".join(f'"{scope}"' for scope in Scope if scope in entry.scopes)
    return token, f'[[token]]\nname = "{name}"\nsha256 = "{digest}"\nscopes = [{listed}]\n'


def _sentence(violation: Any) -> str:
    match violation["loc"]:
        case ("token", int(number), *rest):
            where = ": ".join([f"entry {number + 1}", *([".".join(map(str, rest))] if rest else [])])
        case loc:
            where = ".".join(map(str, loc))
    what = "no such key" if violation["type"] == "extra_forbidden" else str(violation["msg"])
    return f"{where}: {what.removeprefix('Value error, ')}"
