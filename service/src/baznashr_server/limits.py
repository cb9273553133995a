"""Every limit of the service, each with its reason. Units are in the names."""

MAX_TEXT_BYTES = 1 << 20
"""Of one text as UTF-8. Twenty times the longest article seen; bounds the work of one call to about a second."""
MAX_TEXT_LETTERS = 1 << 20
"""Of one text's canonical form: as many as a text of the greatest size in ASCII has."""
MAX_BATCH_DOCUMENTS = 256
"""At 256 the cost of a call is spread thin enough; larger batches only hold the writer longer."""
MAX_MESSAGE_BYTES = 4 << 20
"""Of one gRPC message, gRPC's own default; a batch's texts must fit."""
MAX_ID_BYTES = 256
"""Of a document id as UTF-8: room for a URL's path, small enough for an index key."""
MAX_FIELD_BYTES = 4096
"""Of a title, source or URL as UTF-8."""
MAX_LABELS = 32
MAX_LABEL_BYTES = 256
"""Of a label's key, and of its value, as UTF-8."""
MAX_MATCHES = 20
"""In one answer; an editor reads the first few."""
MAX_CORPORA = 1024
"""Each costs at most 64 KiB while it is empty."""
MAX_CORPUS_NAME_CHARS = 64
CORPUS_NAME = rf"[a-z0-9][a-z0-9_-]{{0,{MAX_CORPUS_NAME_CHARS - 1}}}"
"""As a regular expression; it is a label of metrics, and safe in whatever quotes it."""
MAX_WINDOW_DAYS = 36_500
MAX_SOURCE_RANKS = 1000
MAX_FUTURE_DAYS = 366
"""How far ahead of the clock ``published_at`` may lie; clocks and time zones err by less."""
EARLIEST_PUBLISHED_YEAR = 1800
MAX_CLUSTER_PAGE = 1000
"""Members in one answer of ``list_cluster``."""
MAX_STREAM_IN_FLIGHT = 64
"""Unanswered items of one stream, told to the client when it opens."""
MAX_NOTE_BYTES = 4096
"""Of an override's note as UTF-8."""
MAX_ANSWER_BYTES = 32 << 20
"""Of one gRPC answer: a full batch's judgements with all their matches and spans; clients should take as much."""
MAX_CALLS_PER_CONNECTION = 1024
"""Calls open at once on one connection; the client's gRPC holds back the next."""
MAX_CONNECTION_SECONDS = 3600
"""A connection is renewed after, so that changed certificates come to count; calls under way are not cut."""
MAX_CANDIDATES = 16
"""Stored texts compared with one judged text: the best by signature and passages. Each costs some 50 microseconds."""
MAX_NUMBER_CHANGES = 10
"""Listed for one match: an editor sees from the first few what kind of report it is."""
MAX_TAKEOVER = 64
"""Members of a cluster that are compared with a new canonical document before it takes over."""
MAX_QUEUED_WRITES = 4096
"""Calls waiting for the writer; the next is told to come back."""
MAX_BULK_DOCUMENTS = 256
"""Of batches and streams in one commit, not counting the last batch's: what a single call may have to wait for."""
EXPIRY_BATCH = 256
"""Documents deleted by expiry in one transaction."""
MAX_SHADOW_DIFFERENCES = 1000
"""Kept in memory for each corpus with a shadow policy, some 0.5 MB; older ones are only counted."""
MAX_BOILERPLATE = 1000
"""Stretches in one answer of ``list_boilerplate``; each costs reading one document."""
MAX_LOADED_CORPORA = 128
"""With documents and their tables in memory; those unused for longest are unloaded, and filled again when asked for."""
MIN_SNAPSHOT_DOCUMENTS = 1000
"""In tables worth a snapshot; fewer are rebuilt in less time than a file takes."""
MAX_SNAPSHOT_COPY_BYTES = 512 << 20
"""Of tables that are copied for a snapshot while serving, for which writes wait 0.2 s; larger ones wait for the end."""
VACUUM_PAGES = 256
"""Given back to the file system in one transaction: 2 MiB."""
MAX_SECRET_FILE_BYTES = 1 << 20
"""Of a file of certificates or tokens; a bundle of authorities has some 200 KiB."""
MAX_STRANGER_LINES = 10
"""In the log, each second, for calls without a token in force; the others are only counted, lest they fill the disk."""
MAX_TOKENS = 256
"""In force at once: each call's token is compared with all of them, some 0.15 microseconds each."""
