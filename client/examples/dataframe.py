"""Columns of verdicts for a pandas or Polars data frame of articles."""

from baznashr import BaznashrError, Document


def add_verdicts(frame, client, corpus="default", *, id="id", text="text"):
    """Judge and register each row in order; return the frame with a column more for each part of the answer.

    ``verdict`` is None where ``refused`` says why there is none, such as EMPTY_TEXT.

    Args:
        frame: Of pandas or Polars; a row's id and text are in the columns *id* and *text*.
        client: A ``baznashr.Client``.
        corpus: Where rows are judged and registered; a row that is there already gets its first answer again.
        id: A column.
        text: A column.
    """
    rows = zip(frame[id], frame[text], strict=True)
    # A missing text is None or, in pandas, a number that is none.
    documents = (Document(str(name), body if isinstance(body, str) else "") for name, body in rows)
    columns = {"verdict": [], "repeated": [], "canonical_id": [], "new_share": [], "refused": []}
    for outcome in client.ingest_many(documents, corpus, on_error="yield"):
        refused = isinstance(outcome, BaznashrError)
        columns["verdict"].append(None if refused else str(outcome.verdict))
        columns["repeated"].append(None if refused else outcome.repeated)
        columns["canonical_id"].append(None if refused else outcome.canonical_id)
        columns["new_share"].append(None if refused else outcome.new_share)
        columns["refused"].append(outcome.reason if refused else None)
    if hasattr(frame, "with_columns"):
        import polars as pl

        series = [pl.Series(name, values, strict=False) for name, values in columns.items()]
        return frame.with_columns(series)
    return frame.assign(**columns)
