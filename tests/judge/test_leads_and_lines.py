"""What titles, leads and the length of lines decide beside coverage."""

import pytest

from baznashr.types import Thresholds, Verdict
from baznashr_server.judge.body import prepare
from baznashr_server.judge.comparison import Comparison, compare
from baznashr_server.judge.rules import judge_equal, judge_pair
from tests.judge.parts import STORED, body, text

TITLE, OTHER_TITLE = "گشایش پل تازه شهر", "تعویق جلسه دادگاه کارخانه"
BACKGROUND = 850
OWN_FOOT = 300


def follow_up(new: int, *, titles: tuple[str, str] = (TITLE, OTHER_TITLE), rest: int = OWN_FOOT) -> Comparison:
    """Compare *new* letters above copied background with a text that has the background and a foot of its own."""
    judged = body(("", new), ("background", BACKGROUND), title=titles[0])
    stored = body(("background", BACKGROUND), ("", rest), edge=STORED, title=titles[1])
    return compare(judged, stored)


def test_a_new_lead_makes_a_follow_up() -> None:
    """New letters in the lead under another title, over background that is 80 % of the text, make an overlap."""
    ruling = judge_pair(follow_up(150), Thresholds())
    assert (ruling.verdict, ruling.reason) == (Verdict.OVERLAP, "NEW_LEAD")


@pytest.mark.parametrize(
    "comparison",
    [
        follow_up(99),
        follow_up(150, titles=(TITLE, TITLE)),
        follow_up(150, titles=("", OTHER_TITLE)),
        follow_up(150, rest=283),
    ],
    ids=["too little is new", "one title", "a title is unknown", "most of the stored text is there"],
)
def test_without_one_of_its_signs_a_new_lead_is_an_edit(comparison: Comparison) -> None:
    """Fewer than 100 new letters, like or unknown titles, or a stored text covered by 75 %: an edited copy."""
    assert judge_pair(comparison, Thresholds()).reason == "SAME_ARTICLE_EDITED"


def test_equal_texts_with_hardly_a_letter_are_told_by_their_titles() -> None:
    """Below 40 letters, two titles make two articles; with one title, none, or more letters equal texts are equal."""

    def ruling(letters: int, title: str) -> Verdict:
        one, other = (prepare(text(("notice", letters)), title=t) for t in (TITLE, title))
        return judge_equal(compare(one, other)).verdict

    assert ruling(39, OTHER_TITLE) is Verdict.NEW
    assert ruling(40, OTHER_TITLE) is ruling(39, TITLE) is ruling(39, "") is Verdict.EXACT


@pytest.mark.parametrize(("lines", "reason"), [(14, "SITE_LINES_ONLY"), (2, "LONG_PASSAGES")])
def test_long_feet_of_one_source_are_told_by_their_lines(lines: int, reason: str) -> None:
    """Below two articles of one source, many short lines are the site's; a long paragraph is a passage."""
    pieces = [text((f"foot {number}", 280 // lines)) for number in range(lines)]
    foot = "\n".join(pieces)
    judged = prepare(f"{text(('', 600))}\n{foot}", source="s")
    stored = prepare(f"{text(('', 600), edge=STORED)}\n{foot}", source="s")
    assert judge_pair(compare(judged, stored), Thresholds()).reason == reason
