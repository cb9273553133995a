"""The loop that datasketch's users write, over word 5-grams: ARTICLES OUT THRESHOLD.

Each article is looked up before it is entered; the best candidate whose estimated similarity reaches the threshold
makes it a copy, which is not entered. OUT gets the kept lines and, for each copy, the row numbers of both.
"""

import json
import re
import sys
from pathlib import Path

from datasketch import MinHash, MinHashLSH

WORDS = 5
NUM_PERM = 128
WORD = re.compile(r"\w+")


def grams(text: str) -> list[bytes]:
    words = WORD.findall(text.lower())
    return list({" ".join(words[i : i + WORDS]).encode() for i in range(max(1, len(words) - WORDS + 1))})


def main(articles: str, out: str, threshold: float) -> None:
    lsh = MinHashLSH(threshold=threshold, num_perm=NUM_PERM)
    empty = MinHash(num_perm=NUM_PERM)
    entered: dict[int, MinHash] = {}
    copies: dict[int, int] = {}
    folder = Path(out)
    folder.mkdir(parents=True)
    with Path(articles).open("rb") as lines, (folder / "kept.jsonl").open("wb") as kept:
        for number, line in enumerate(lines):
            sketch = empty.copy()
            sketch.update_batch(grams(json.loads(line)["text"]))
            similar = [(sketch.jaccard(entered[key]), -key) for key in lsh.query(sketch)]
            if similar and max(similar)[0] >= threshold:
                copies[number] = -max(similar)[1]
                continue
            lsh.insert(number, sketch, check_duplication=False)
            entered[number] = sketch
            kept.write(line)
    (folder / "copies.json").write_text(json.dumps(copies), encoding="ascii")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
