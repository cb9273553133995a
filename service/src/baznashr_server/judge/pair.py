"""Two texts to be held against each other, as far as it takes: most pairs are strangers that share a phrase."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from baznashr.types import Thresholds, Verdict
from baznashr_server.judge.align import most_covered_kernel
from baznashr_server.judge.body import Body
from baznashr_server.judge.comparison import Comparison, Mask, compare
from baznashr_server.judge.cover_kernel import COVER
from baznashr_server.judge.rules import NOTHING_COMPARABLE, Ruling, judge_equal, judge_pair, least_letters


@dataclass(eq=False)
class TextPair:
    judged: Body
    stored: Body
    judged_mask: Mask
    stored_mask: Mask
    """Letters that do not count, as `compare` takes them."""

    @cached_property
    def comparison(self) -> Comparison:
        return compare(self.judged, self.stored, self.judged_mask, self.stored_mask)

    def ruling(self, thresholds: Thresholds, *, same_text: bool) -> Ruling:
        """Return what the judged text is to the stored one, of which it may be the *same_text* in canonical form."""
        if same_text:
            return judge_equal(self.comparison)
        if self._share_little(thresholds):
            return Ruling(Verdict.NEW, NOTHING_COMPARABLE)
        return judge_pair(self.comparison, thresholds)

    def _share_little(self, thresholds: Thresholds) -> bool:
        """Whether the shared runs are seen to be too little for any rule, without all of them being found.

        That takes a tenth of the time that the comparison does.
        """
        if self.judged_mask.size or self.stored_mask.size or "comparison" in self.__dict__:
            return False
        judged, stored = self.judged, self.stored
        enough = least_letters(thresholds, judged.letters.size, stored.letters.size)
        most = most_covered_kernel(judged.letters, judged.table, stored.letters, stored.shingles, enough)
        return bool(max(most, COVER - 1) < enough)
