"""What a run has done so far, on disk: after a kill or Ctrl-C the same command goes on from there."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from baznashr.errors import InvalidArgument, StoreError
from baznashr_server.bulk.inputs import Input
from baznashr_server.bulk.options import Options
from baznashr_server.bulk.writing import whole
from baznashr_server.profile import FA_1
from baznashr_server.store.folder import LOCK

WORK = "work"
PLAN, READ, ORDER, REJECTS, ARRAYS, RUNS, JUDGED, STORE, STDIN, BEGUN, MADE = (
    "plan.json", "read.json", "order.arrow", "rejects.jsonl", "arrays.npz", "runs", "judged", "store", "stdin",
    "store.begun", "store.json",
)  # fmt: skip


def write_json(path: Path, value: Any) -> None:
    with whole(path) as part:
        part.write_text(json.dumps(value, ensure_ascii=False, indent=2) + "\n", "utf-8")


def read_json(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


class State:
    """The work folder of a run."""

    def __init__(self, out: Path) -> None:
        self.folder = out / WORK
        self.is_resumed = False

    def path(self, name: str) -> Path:
        return self.folder / name

    def plan(self, settings: Mapping[str, Any], inputs: Sequence[Input]) -> None:
        """Note what is to be done, or find it noted.

        Raises:
            InvalidArgument: An unfinished run of the folder was to do something else.
        """
        stats = [(one.name, one.path.stat()) for one in inputs]
        wanted = {
            "version": version("baznashr-server"),
            "profile": FA_1.name,
            "settings": dict(settings),
            "inputs": [[name, at.st_size, at.st_mtime_ns] for name, at in stats],
        }
        if not self.is_planned:
            write_json(self.path(PLAN), wanted)
            return
        found = read_json(self.path(PLAN))
        differing = [name for name in wanted if name != "settings" and found.get(name) != wanted[name]]
        noted = found.get("settings", {})
        differing += [name for name in settings if noted.get(name) != settings[name]]
        if differing:
            release = f" to release {found.get('version')}" if "version" in differing else ""
            raise InvalidArgument(
                f"{self.folder} holds an unfinished run that differs in: {', '.join(differing)}. Give the same command"
                f"{release} to go on with it; give another --out, or remove {self.folder.parent}, to begin anew.",
                reason="OTHER_RUN",
            )
        self.is_resumed = True

    @property
    def is_planned(self) -> bool:
        return self.path(PLAN).exists()

    @property
    def is_read(self) -> bool:
        return self.path(READ).exists()

    def begin_reading(self) -> None:
        """Make room for sorted runs, without those of an earlier start."""
        shutil.rmtree(self.path(RUNS), ignore_errors=True)
        self.path(RUNS).mkdir()
        self.path(JUDGED).mkdir(exist_ok=True)

    def save_arrays(self, **arrays: NDArray[Any]) -> None:
        with whole(self.path(ARRAYS)) as part, part.open("wb") as file:
            np.savez(file, **arrays)  # type: ignore[arg-type]

    def arrays(self) -> dict[str, NDArray[Any]]:
        with np.load(self.path(ARRAYS), allow_pickle=False) as found:
            return dict(found)

    def remove(self) -> None:
        if self.folder.exists():
            shutil.rmtree(self.folder)


def check_build(options: Options, state: State) -> None:
    """Refuse to build into a folder that holds anything but what this run began, or that goes when it is finished.

    Raises:
        InvalidArgument: It would go.
        StoreError: It holds something.
    """
    data = options.build
    if data and data.resolve().is_relative_to(state.folder.resolve()):
        raise InvalidArgument(
            f"{data} lies in {state.folder}, which goes when the run is finished; give another --build."
        )
    if data and not state.path(BEGUN).exists() and data.exists() and any(path.name != LOCK for path in data.iterdir()):
        raise StoreError(f"{data} is not empty; --build makes a new data folder.", reason="FOLDER_NOT_EMPTY")


def folder_of(options: Options, state: State) -> Path:
    """Return the data folder that judges: the one to build, else one in the work folder."""
    return options.build or state.path(STORE)
