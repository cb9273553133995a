"""The file of tokens: what it may hold, what is said of mistakes, and who is found by it."""

import os
import re
from pathlib import Path

import pytest

from baznashr.errors import PermissionDenied, QuotaExceeded, Unauthenticated
from baznashr_server.access.files import AccessError
from baznashr_server.access.keeper import Keeper
from baznashr_server.access.tokens import Scope, Tokens, entry_for, read_tokens
from baznashr_server.limits import MAX_TOKENS
from tests.support.secrets import entry, token_for, write_tokens


def tokens(folder: Path, *entries: str) -> Tokens:
    found, warnings = read_tokens(write_tokens(folder / "tokens.toml", *entries))
    assert warnings == []
    return found


def test_the_command_makes_what_the_file_takes(tmp_path: Path) -> None:
    """An entry that was made is read back, finds its own token and no other, and holds nothing of the token."""
    token, text = entry_for("crawler", ["write", "read"])
    found = tokens(tmp_path, text)
    assert re.fullmatch(r"bzr_[\w-]{43}", token)
    assert token not in text
    match = found.find(token.encode())
    assert match is not None
    assert (match.name, match.scopes) == ("crawler", {Scope.READ, Scope.WRITE})
    assert found.find(token[:-1].encode()) is None
    assert entry_for("crawler", ["read"])[0] != token


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[token]\n", "is no TOML"),
        (f"token = {'[' * 5000}", "is no TOML"),
        (f"token = {'9' * 5000}", "is no TOML"),
        ("[[tokens]]\n", "tokens: no such key"),
        (entry("a") + "corpus = ['news']\n", "entry 1: corpus: no such key"),
        (entry("a") + entry("b", []), "entry 2: scopes: "),
        (entry("a", ["all"]), "entry 1: scopes.0: "),
        (entry("a").replace('sha256 = "', 'sha256 = "0'), "entry 1: sha256: "),
        ('[[token]]\nname = "a"\nscopes = ["read"]\n', "entry 1: give either sha256 or file"),
        (entry("a", burst=3.0), "entry 1: burst needs documents_per_second"),
        (entry("a", documents_per_second=0.0), "entry 1: documents_per_second: "),
        (entry("a", corpora=[]), "entry 1: corpora: "),
        (entry("a b"), "entry 1: name: "),
        (entry("a") + entry("a"), "the same name: a, a"),
        (entry("a") + entry("a").replace('"a"', '"b"'), "the same token: a, b"),
        ("".join(entry(f"a{n}") for n in range(MAX_TOKENS + 1)), "token: "),
        ('[[token]]\nname = "a"\nscopes = ["read"]\nfile = "missing"\n', "missing cannot be read: No such file"),
        ('[[token]]\nname = "a"\nscopes = ["read"]\nfile = "a\\u0000"\n', "cannot be read: embedded null"),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, said: str) -> None:
    """Each mistake is told with its file and entry, and without a token or digest."""
    file = write_tokens(tmp_path / "tokens.toml", text)
    with pytest.raises(AccessError) as refused:
        read_tokens(file)
    assert said in str(refused.value)
    assert str(tmp_path) in str(refused.value)
    assert not re.search("[0-9a-f]{64}", str(refused.value))


def test_a_pipe_is_refused() -> None:
    """A shell's <(command) would be read once, and be empty, so that nobody may call, a second later."""
    reads, writes = os.pipe()
    os.write(writes, entry("a").encode())
    os.close(writes)
    try:
        with pytest.raises(AccessError, match=r"^/dev/fd/\d+ cannot be read: a pipe gives what it holds once"):
            read_tokens(Path(f"/dev/fd/{reads}"))
    finally:
        os.close(reads)


def test_tokens_may_lie_in_files_of_their_own(tmp_path: Path) -> None:
    """A file beside the others, as secrets are mounted, holds one token and a line's end; anything else is refused."""
    secret = tmp_path / "crawler.token"
    secret.write_text(token_for("crawler") + "\n", encoding="ascii")
    secret.chmod(0o600)
    text = '[[token]]\nname = "crawler"\nscopes = ["read"]\nfile = "crawler.token"\n'
    assert tokens(tmp_path, text).find(token_for("crawler").encode())
    for wrong in ("short", "two words, which are long enough to be a token", ""):
        secret.write_text(wrong, encoding="utf-8")
        with pytest.raises(AccessError, match=r"crawler\.token holds no token"):
            tokens(tmp_path, text)


def test_files_that_others_may_read_are_warned_of(tmp_path: Path) -> None:
    """Secrets for the owner, or the owner and a group, are fine; what others may read or change is told."""
    file = write_tokens(tmp_path / "tokens.toml", entry("a"))
    for mode, is_exposed in ((0o600, False), (0o440, False), (0o644, True), (0o660, True)):
        file.chmod(mode)
        _, warnings = read_tokens(file)
        assert [f"mode {mode:04o}" in warning for warning in warnings] == [True] * is_exposed


def header(name: str) -> bytes:
    return f"Bearer {token_for(name)}".encode()


def test_callers_are_known_by_their_header(tmp_path: Path) -> None:
    """The scheme is told in any case; without it, with another, or with a token too many, the caller is unknown."""
    keeper = Keeper(tokens(tmp_path, entry("a"), entry("b")))
    assert keeper.caller(header("a")).name == "a"
    assert keeper.caller(header("b").replace(b"Bearer", b"bearer")).name == "b"
    for bad in (None, b"", header("c"), header("a") + b" ", header("a")[7:], header("a").replace(b"Bearer", b"Basic")):
        with pytest.raises(Unauthenticated):
            keeper.caller(bad)
    assert Keeper(None).caller(None).name == ""


def test_no_tokens_means_nobody(tmp_path: Path) -> None:
    """A file without entries lets nobody in; it is not the same as no file."""
    with pytest.raises(Unauthenticated):
        Keeper(tokens(tmp_path)).caller(header("a"))


def test_a_quota_outlives_a_change_of_others(tmp_path: Path) -> None:
    """Whoever used up a quota does not get a new one because the file changed, unless its own quota did."""
    slow = entry("slow", documents_per_second=0.001, burst=1.0)
    keeper = Keeper(tokens(tmp_path, slow))
    keeper.caller(header("slow")).spend(1)
    keeper.replace(tokens(tmp_path, slow, entry("new")))
    with pytest.raises(QuotaExceeded):
        keeper.caller(header("slow")).spend(1)
    keeper.replace(tokens(tmp_path, entry("slow", documents_per_second=5.0)))
    keeper.caller(header("slow")).spend(1)


def test_corpora_are_all_or_those_named(tmp_path: Path) -> None:
    """A token for some corpora reaches these, and no call that concerns all."""
    keeper = Keeper(tokens(tmp_path, entry("some", corpora=["news"]), entry("all")))
    keeper.caller(header("all")).require_corpora(None)
    keeper.caller(header("some")).require_corpora(["news", "news"])
    for corpora in (None, ["default"], ["news", "other"]):
        with pytest.raises(PermissionDenied):
            keeper.caller(header("some")).require_corpora(corpora)
