"""Who deduplicates: how each is started, and what it found. All use a threshold of 0.7 and every core they can."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from abc import ABC, abstractmethod
from importlib.metadata import version
from pathlib import Path

import numpy as np

from benchmarks.bulk import environments
from benchmarks.bulk.processes import Cost, run
from benchmarks.bulk.sets import Archive, Copies, shard_rows

THRESHOLD = 0.7
CORES = len(os.sched_getaffinity(0))
WARMING = 3000
"""Articles in which everything comes that there is to be compiled for."""
INSIDE = Path(__file__).parent / "inside"
OFFLINE = {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1"}
TEXT_DEDUP = """\
[input]
input_type = "local_files"
file_type = "json"
[input.read_arguments]
path = "json"
data_files = {articles}
split = "train"
[algorithm]
algorithm_name = "minhash"
text_column = "text"
num_perm = 128
ngram_size = 5
threshold = {threshold}
check_false_positive = true
num_proc = {cores}
[output]
output_dir = "out"
save_clusters = true
keep_index_column = true
[debug]
enable_profiling = false
"""

AS_JSON = "import json, pickle, sys; print(json.dumps(pickle.load(open(sys.argv[1], 'rb'))))"
"""text-dedup leaves its clusters in a form that only its own environment should read."""


class Contender(ABC):
    name: str
    settings: str
    """In a few words, for the result file."""

    def ready(self) -> None:
        """Make what a run needs and what is not timed.

        Raises:
            environments.Unavailable: It cannot be had here.
        """
        environments.python(self.name)

    def version(self) -> str:
        return environments.version(self.name)

    def warm(self, archive: Archive, folder: Path) -> None:
        """Run over the first articles in the empty folder *folder*: what compiles has compiled, and files are at hand.

        Raises:
            Failed: It ended with an error.
        """
        first, out = archive.first(WARMING, folder / "first"), folder / "warm"
        out.mkdir()
        self.run(first, out)
        shutil.rmtree(out)
        shutil.rmtree(first.articles.parent)

    @abstractmethod
    def run(self, archive: Archive, folder: Path) -> Cost:
        """Deduplicate in the empty folder *folder*.

        Raises:
            Failed: It ended with an error.
        """

    @abstractmethod
    def copies(self, archive: Archive, folder: Path) -> Copies:
        """Return what a run in *folder* found."""


class Baznashr(Contender):
    name = "baznashr"
    settings = "bulk --no-report, profile fa-1, candidates verified on their texts, kept set and lists written"

    def ready(self) -> None:
        pass

    def version(self) -> str:
        return version("baznashr-server")

    def run(self, archive: Archive, folder: Path) -> Cost:
        command = (sys.executable, "-m", "baznashr_server", "bulk", archive.articles, "--out", folder / "out")
        return run((*command, "--no-report"), log=folder / "log", cwd=folder)

    def copies(self, archive: Archive, folder: Path) -> Copies:
        from pyarrow import parquet

        with archive.articles.open("rb") as lines:
            row_of = {json.loads(line)["id"]: number for number, line in enumerate(lines)}
        judged = parquet.read_table(folder / "out" / "judgements.parquet", columns=["id", "repeated", "cluster"])
        ids, repeated, clusters = (judged.column(name).to_pylist() for name in ("id", "repeated", "cluster"))
        first: dict[str, int] = {}
        for id_, cluster in zip(ids, clusters, strict=True):
            first[cluster] = min(first.get(cluster, row_of[id_]), row_of[id_])
        return {
            row_of[id_]: first[cluster] for id_, repeat, cluster in zip(ids, repeated, clusters, strict=True) if repeat
        }


class TextDedup(Contender):
    name = "text-dedup"
    settings = "minhash, word 5-grams, 128 values, bands chosen by it, candidates verified"

    def run(self, archive: Archive, folder: Path) -> Cost:
        settings = TEXT_DEDUP.format(articles=json.dumps(str(archive.articles)), threshold=THRESHOLD, cores=CORES)
        (folder / "config.toml").write_text(settings, encoding="utf-8")
        command = (environments.python(self.name), "-m", "text_dedup.minhash")
        # A cache of its own, so that no run finds what another has computed.
        environment = {**OFFLINE, "HF_HOME": str(folder / "hf"), "TMPDIR": str(folder)}
        return run(command, log=folder / "log", cwd=folder, environment=environment)

    def copies(self, archive: Archive, folder: Path) -> Copies:
        del archive  # Its row numbers are the file's.
        command = (environments.python(self.name), "-c", AS_JSON, folder / "out" / "clusters.pickle")
        clusters = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
        return {int(row): first for row, first in clusters.items() if int(row) != first}


class Datatrove(Contender):
    name = "datatrove"
    settings = "four stages, Persian (spaCy), word 5-grams, 14 bands of 8: its defaults, about 0.72; no verification"

    def run(self, archive: Archive, folder: Path) -> Cost:
        script = INSIDE / "datatrove_minhash.py"
        shards = archive.shards(CORES)
        command = (environments.python(self.name), script, shards, folder / "out", str(CORES))
        return run(command, log=folder / "log", cwd=folder, environment={**OFFLINE, "HF_HOME": str(folder / "hf")})

    def copies(self, archive: Archive, folder: Path) -> Copies:
        rows, clusters = [], []
        for number, (start, _) in enumerate(shard_rows(archive.rows, CORES)):
            path = folder / "out" / "removed" / f"{number:06d}.clusters"
            found = np.fromfile(path, "<u4").reshape(-1, 2) if path.exists() else np.empty((0, 2), np.uint32)
            rows += (found[:, 0].astype(np.int64) + start).tolist()
            clusters += found[:, 1].tolist()
        first: dict[int, int] = {}
        for row, cluster in zip(rows, clusters, strict=True):
            first[cluster] = min(first.get(cluster, row), row)
        return {row: first[cluster] for row, cluster in zip(rows, clusters, strict=True) if row != first[cluster]}


class Datasketch(Contender):
    name = "datasketch"
    settings = "a loop in one process: word 5-grams, 128 values, MinHashLSH, candidates by their estimate"

    def run(self, archive: Archive, folder: Path) -> Cost:
        script = INSIDE / "datasketch_loop.py"
        command = (environments.python(self.name), script, archive.articles, folder / "out", str(THRESHOLD))
        return run(command, log=folder / "log", cwd=folder)

    def copies(self, archive: Archive, folder: Path) -> Copies:
        del archive  # Its row numbers are the file's.
        found = json.loads((folder / "out" / "copies.json").read_text(encoding="ascii"))
        return {int(row): first for row, first in found.items()}


CONTENDERS: tuple[Contender, ...] = (Baznashr(), TextDedup(), Datatrove(), Datasketch())
