"""Snapshot files: what is read is what was written, or nothing."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays, scalar_dtypes
from numpy.typing import NDArray

from baznashr_server.store import snapshots
from baznashr_server.store.snapshots import SnapshotDamaged

ANY_ARRAYS = st.dictionaries(
    st.text(max_size=8), arrays(scalar_dtypes(), array_shapes(max_dims=2, max_side=40, min_side=0)), max_size=4
)


@pytest.fixture(scope="module", autouse=True)
def small_blocks() -> object:
    """Blocks that a few numbers fill."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(snapshots, "BLOCK_BYTES", 64)
        yield


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables") / "1.tables"


@given(content=ANY_ARRAYS)
def test_what_was_written_is_read(path: Path, content: dict[str, NDArray[np.generic]]) -> None:
    """Header and arrays of any type and shape come back, however many blocks they fill."""
    snapshots.write(path, {"corpus": 7}, content)
    header, found = snapshots.read(path)
    assert header == {"corpus": 7}
    assert list(found) == list(content)
    for name, array in content.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


@given(content=ANY_ARRAYS, data=st.data())
def test_one_changed_byte_or_length_is_damage(
    path: Path, content: dict[str, NDArray[np.generic]], data: st.DataObject
) -> None:
    """A file with a byte changed anywhere, cut short, or with bytes added is damaged, whatever else it may be."""
    snapshots.write(path, {"corpus": 7}, content)
    whole = path.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    other = data.draw(st.integers(1, 255))
    changed = whole[:place] + bytes([whole[place] ^ other]) + whole[place + 1 :]
    for wrong in (changed, whole[:place], whole + b"\0"):
        path.write_bytes(wrong)
        with pytest.raises(SnapshotDamaged):
            snapshots.read(path)


@pytest.mark.parametrize("shapes", [[["a", "<i8", [10**15]]], [["a", "<i8", [-1]]], [["a", "O", [0]]], [["a"]], 5])
def test_a_header_is_not_believed_beyond_the_file(path: Path, shapes: object) -> None:
    """Room is made for no more than the file holds, and for nothing but numbers."""
    line = json.dumps({"format": snapshots.FORMAT, "arrays": shapes}).encode() + b"\n"
    path.write_bytes(line + bytes(snapshots.DIGEST_BYTES))
    with pytest.raises(SnapshotDamaged):
        snapshots.read(path)
