"""The usual pipeline, scored beside the judge."""

from hypothesis import given
from hypothesis import strategies as st

from baznashr_server.tune.baseline import WORDS, best_threshold, report, similarities, word_shingles
from baznashr_server.tune.scoring import Compared

words = st.lists(st.sampled_from(["آب", "باد", "خاک", "آتش"]), max_size=30)


@given(words)
def test_shingles_are_all_windows_of_words(text: list[str]) -> None:
    """The shingles are the windows of five words, and one of all words where there are fewer."""
    windows = [tuple(text[at : at + WORDS]) for at in range(len(text))]
    full = {window for window in windows if len(window) == WORDS}
    assert word_shingles(" ".join(text), str.split) == (full or {tuple(text)})


def test_the_best_threshold_beats_all_others(compared: list[Compared]) -> None:
    """No similarity found on the pairs makes a threshold of higher F1 than the one named."""
    found = similarities(compared)
    threshold, score = best_threshold(compared, found)
    for other in found:
        called = [(one.pair.repeated, share >= other) for one, share in zip(compared, found, strict=True)]
        hits = sum(label is True and over for label, over in called)
        wrong = sum(label is not None and label is not over for label, over in called)
        assert score.f1 >= 2 * hits / max(1, 2 * hits + wrong)
    assert f"{threshold:.2f}" in report(compared)
