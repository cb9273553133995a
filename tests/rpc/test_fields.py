"""Single fields of requests: pages, and where errors point to."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from baznashr.errors import BaznashrError, CorpusNotFound, DocumentIdReused, InvalidArgument, InvalidCorpus, InvalidText
from baznashr.v1.check_service_pb2 import CheckItem
from baznashr_server.rpc.fields import errors_at, fitting, page, page_size


@given(st.lists(st.integers(), max_size=50), st.integers(1, 20))
def test_pages_hold_everything_once_in_order(entries: list[int], size: int) -> None:
    """Following the tokens from the first page to the last gives each entry once, in order."""
    seen: list[int] = []
    token = ""
    for _ in range(len(entries) + 1):
        shown, token = page(entries, token, size)
        assert len(shown) <= size
        seen += shown
        if not token:
            break
    assert not token
    assert seen == entries


@given(st.lists(st.text(max_size=9)), st.integers(0, 50))
def test_pages_end_by_size(texts: list[str], most: int) -> None:
    """A page holds the first messages that fit, never none of them, and the next would have been too much."""
    messages = [CheckItem(text=text) for text in texts]
    shown = fitting(iter(messages), most)
    assert messages[: len(shown)] == shown
    assert bool(shown) == bool(messages)
    assert len(shown) <= 1 or sum(message.ByteSize() for message in shown) <= most
    assert shown == messages or sum(message.ByteSize() for message in messages[: len(shown) + 1]) > most


@given(st.text(min_size=1).filter(lambda token: not (token.isascii() and token.isdigit())))
@example("1" * 5000)
@example("۱۲")
def test_foreign_tokens_are_refused(token: str) -> None:
    """A token is a number of at most nine ASCII digits; anything else is an error of the caller."""
    with pytest.raises(InvalidArgument) as refused:
        page([1, 2, 3], token, 2)
    assert (refused.value.field, refused.value.reason) == ("page_token", "INVALID_FIELD")


@pytest.mark.parametrize(("asked", "given_size"), [(0, 100), (1, 1), (1000, 1000), (1001, 1000), (2**31 - 1, 1000)])
def test_page_sizes_are_bounded(asked: int, given_size: int) -> None:
    """Nothing asked means the default, too much means the most."""
    assert page_size(asked, default=100, most=1000) == given_size


def test_a_negative_page_size_is_refused() -> None:
    """A negative size is an error of the caller."""
    with pytest.raises(InvalidArgument) as refused:
        page_size(-1, default=100, most=1000)
    assert refused.value.field == "page_size"


@pytest.mark.parametrize(
    ("error", "path", "instead_of", "field"),
    [
        (InvalidText("m", reason="EMPTY_TEXT", field="text"), "document", "", "document.text"),
        (InvalidText("m", field=""), "item", "", "item"),
        (InvalidText("m", field="documents[0].text"), "document", "documents[0]", "document.text"),
        (DocumentIdReused("m", field="documents[0].id"), "document", "documents[0]", "document.id"),
        (InvalidCorpus("m", field="corpus"), "document", "", "corpus"),
        (InvalidText("m", field="other"), "document", "documents[0]", "other"),
        (CorpusNotFound("m", field="corpus"), "document", "", "corpus"),
    ],
)
def test_errors_point_into_the_request(error: BaznashrError, path: str, instead_of: str, field: str) -> None:
    """What the engine blames is found under the path it has in the request; the rest of the error stays."""
    with pytest.raises(type(error)) as raised, errors_at(path, instead_of=instead_of):
        raise error
    assert (raised.value.field, raised.value.reason, raised.value.message) == (field, error.reason, error.message)
