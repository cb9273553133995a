"""What a run leaves once all rows were judged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from baznashr.types import Document, Span
from baznashr_server.bulk import removal
from baznashr_server.bulk.inputs import Found
from baznashr_server.bulk.judging import Judging, read_segment, refused, segments
from baznashr_server.bulk.kept import Spans, write_kept
from baznashr_server.bulk.options import Options
from baznashr_server.bulk.outputs import write_clusters, write_duplicates, write_edges, write_judgements
from baznashr_server.bulk.reading import Reader
from baznashr_server.bulk.settling import Judged, Settlement, settle
from baznashr_server.bulk.spill import Order
from baznashr_server.bulk.state import READ, REJECTS, RUNS, State, folder_of, read_json
from baznashr_server.bulk.stores import stored_ids
from baznashr_server.bulk.writing import whole
from baznashr_server.engine.records import document_from_row, policy_version
from baznashr_server.profile import PROFILES
from baznashr_server.store.folder import DATABASE
from baznashr_server.store.reading import Moment

REMOVE = "remove"


def finish(
    options: Options, state: State, reader: Reader, order: Order, found: Found, judging: Judging
) -> dict[str, Any]:
    """Write all outputs but `run.json` and return what that is to say."""
    out, read, arrays = options.out, read_json(state.path(READ)), state.arrays()
    not_judged = refused(judging.folder)
    taken = np.ones(len(order), np.bool_)
    taken[[one.row for one in not_judged]] = False
    rows = np.flatnonzero(taken)
    judged = Judged.read(judging.folder)
    with Moment(folder_of(options, state) / DATABASE, *PROFILES) as moment:
        corpus = next(row for row in moment.corpora() if row.name == options.corpus)
        asks = options.against is not None or bool(options.source_ranks)
        settlement = settle(
            judged,
            options.keep,
            options.source_ranks,
            (lambda name: moment.canonical_of(corpus.corpus, name)) if asks else None,
        )
    replayed = pc.is_in(judged.column("id"), value_set=stored_ids(state)).to_numpy(zero_copy_only=False)
    copies = arrays["copies"][: len(order)][taken]
    cleaned = _cleaned(judging.folder, rows) if options.clean else {}
    kept = rows[settlement.kept]
    with ThreadPoolExecutor(1, thread_name_prefix="kept") as beside:
        writing = beside.submit(
            write_kept, out, state.path(RUNS), order, kept, found.inputs, reader.fields, reader.encoding, cleaned
        )
        write_judgements(out / "judgements.parquet", judging.folder, settlement, copies, replayed)
        write_edges(out / "edges.parquet", judging.folder)
        clusters = write_clusters(out / "clusters.parquet", judged, settlement)
        duplicates = write_duplicates(out, out / "judgements.parquet")
        _write_removal(out / REMOVE, order, rows, settlement, judged, arrays, read["inputs"])
        writing.result()
    _write_rejects(out / "rejects.jsonl", state, order, found, judging.folder)
    counts = Counter(read["counts"])
    counts.update(
        rejected=len(not_judged), judged=len(judged), kept=len(kept), duplicates=duplicates, clusters=clusters
    )
    result = {
        "version": version("baznashr-server"),
        "profile": moment.profile.name,
        "policy": json.loads(corpus.policy),
        "policy_version": policy_version(corpus),
        "settings": options.settings(),
        "fields": {name: getattr(reader.fields, name) for name in reader.fields.__slots__},
        "inputs": read["inputs"],
        "skipped": list(found.skipped),
        "counts": {**dict(sorted(counts.items())), **_tallies(judging.folder)},
    }
    if options.report:
        _write_report(options, state, corpus.corpus, result)
    return result


def _write_report(options: Options, state: State, corpus: int, result: dict[str, Any]) -> None:
    from baznashr_server.bulk.report import write_report  # noqa: PLC0415 - what it draws with takes time to load

    with whole(options.out / "report.html") as part, Moment(folder_of(options, state) / DATABASE, *PROFILES) as moment:

        def texts(ids: Collection[str]) -> dict[str, Document]:
            rows = [row for id_ in ids if (row := moment.document(corpus, id_)) is not None and row.text is not None]
            return {row.id: document_from_row(row) for row in rows}

        write_report(part, options.out, result, texts)


def _tallies(folder: Path) -> dict[str, Any]:
    verdicts: Counter[str] = Counter()
    repeated = self_repeating = 0
    for path in segments(folder):
        table = read_segment(path, ("verdict", "repeated", "repetition_share"))
        verdicts.update(dict(zip(*_counted(table.column("verdict")), strict=True)))
        repeated += pc.sum(table.column("repeated")).as_py() or 0
        self_repeating += pc.sum(pc.greater(table.column("repetition_share"), 0)).as_py() or 0
    return {"verdicts": dict(verdicts.most_common()), "repeated": repeated, "self_repeating": self_repeating}


def _counted(column: pa.ChunkedArray) -> tuple[list[str], list[int]]:
    counted = pc.value_counts(column.cast(pa.string()))
    return counted.field("values").to_pylist(), counted.field("counts").to_pylist()


def _cleaned(folder: Path, rows: Any) -> Spans:
    """Return the second copies of the texts that repeat themselves, by row of the order."""
    cleaned = {}
    start = 0
    for path in segments(folder):
        table = read_segment(path, ("repetition_share", "repetition_spans"))
        at = np.flatnonzero(table.column("repetition_share").to_numpy() > 0)
        for row, spans in zip(
            at.tolist(), table.column("repetition_spans").take(pa.array(at)).to_pylist(), strict=True
        ):
            cleaned[int(rows[start + row])] = tuple(Span(span["start"], span["end"]) for span in spans)
        start += table.num_rows
    return cleaned


def _write_removal(
    folder: Path,
    order: Order,
    rows: Any,
    settlement: Settlement,
    judged: Judged,
    arrays: dict[str, Any],
    inputs: list[dict[str, Any]],
) -> None:
    """Write the lists of what is not kept, collapsed rows among them; rejected rows are in none."""
    ids = judged.column("id")
    file, place = (order.keys.column(name).to_numpy() for name in ("file", "place"))
    whole_of = pc.index_in(pa.array(np.char.decode(arrays["collapsed_id"]), pa.string()), value_set=ids)
    stands = whole_of.is_valid().to_numpy(False)  # where the row that stays was not refused by the other store
    collapsed_file, collapsed_place = (arrays[f"collapsed_{name}"][stands] for name in ("file", "place"))
    gone = rows[~settlement.kept]
    all_file = np.concatenate([file[gone], collapsed_file.astype(np.int32)])
    all_place = np.concatenate([place[gone], collapsed_place.astype(np.int64)])
    removal.write_datatrove(folder / "datatrove", [one["name"] for one in inputs], all_file, all_place)
    starts = np.concatenate([[0], np.cumsum([one["records"] for one in inputs])]).astype(np.int64)
    row = starts[file[rows]] + place[rows]
    stays = pc.index_in(settlement.kept_id, value_set=ids)
    # What repeats a document of the other store has nothing of this run to stand for it: -1, which is no row.
    keeper = np.where(stays.is_valid().to_numpy(False), row[stays.fill_null(0).to_numpy()], -1) if len(ids) else row
    of = keeper[whole_of.drop_null().to_numpy()]
    row, keeper = np.concatenate([row, starts[collapsed_file] + collapsed_place]), np.concatenate([keeper, of])
    at = np.argsort(row, kind="stable")
    removal.write_text_dedup(folder / "text-dedup" / "clusters.pickle", row[at], keeper[at])
    with whole(folder / "ids.txt") as part, part.open("w", encoding="utf-8") as lines:
        lines.writelines(f"{one}\n" for one in ids.filter(pa.array(~settlement.kept)).to_pylist())


def _write_rejects(path: Path, state: State, order: Order, found: Found, folder: Path) -> None:
    with whole(path) as part, part.open("w", encoding="utf-8") as lines:
        with state.path(REJECTS).open(encoding="utf-8") as earlier:
            lines.writelines(earlier)
        for one in refused(folder):
            keys = order.keys.slice(one.row, 1).to_pylist()[0]
            record = {"file": found.inputs[keys["file"]].name, "row": keys["row"], "id": one.id}
            record |= {"reason": one.reason, "message": one.message}
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
