"""Two texts to be held against each other, as far as it takes: most pairs are strangers that share a phrase."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from baznashr.types import Thresholds, Verdict
from baznashr_server.judge.align import most_covered_kernel
from baznashr_server.judge.body import Body
from baznashr_server.judge.boilerplate import least_own
from baznashr_server.judge.comparison import NO_MASK, Comparison, Mask, compare
from baznashr_server.judge.cover_kernel import COVER
from baznashr_server.judge.rules import NOTHING_COMPARABLE, Ruling, judge_equal, judge_pair, least_letters

type Masks = tuple[Mask, Mask]
"""Letters of the judged and of the stored text that do not count, as `compare` takes them."""
NO_MASKS: Masks = NO_MASK, NO_MASK


@dataclass(eq=False)
class TextPair:
    judged: Body
    stored: Body
    find_masks: Callable[[], Masks] = lambda: NO_MASKS
    """Called where it matters, which it does not for texts that share little whatever is left out."""

    @cached_property
    def masks(self) -> Masks:
        return self.find_masks()

    @cached_property
    def comparison(self) -> Comparison:
        return compare(self.judged, self.stored, *self.masks)

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
        if "comparison" in self.__dict__:
            return False
        judged, stored = self.judged, self.stored
        sizes = judged.letters.size, stored.letters.size
        enough = least_letters(thresholds, *sizes)
        covered = most_covered_kernel(judged.letters, judged.table, stored.letters, stored.shingles, enough)
        most = max(covered, COVER - 1)
        if most < least_letters(thresholds, *map(least_own, sizes)):
            return True
        return bool(most < enough) and not any(mask.size for mask in self.masks)
