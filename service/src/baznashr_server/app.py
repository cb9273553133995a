"""The server process: settings, logs, metrics, engine and gRPC server, from start to exit."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from tempfile import TemporaryDirectory

import structlog
import uvloop
from prometheus_client import CollectorRegistry, start_http_server

from baznashr.errors import StoreError
from baznashr.types import Document
from baznashr_server import garbage, kernel
from baznashr_server.access.protection import Protection
from baznashr_server.engine import Engine
from baznashr_server.kernel_cache import cache_folder, fault_of
from baznashr_server.obs import logs
from baznashr_server.obs.census import CensusCollector
from baznashr_server.obs.metrics import Metrics
from baznashr_server.obs.observer import MetricsObserver
from baznashr_server.obs.sizes import SizesCollector
from baznashr_server.obs.storage import StorageCollector
from baznashr_server.obs.watch import NoTracing, Tracing, require_otel
from baznashr_server.rpc.listening import ListenError
from baznashr_server.rpc.server import Server
from baznashr_server.settings import Address, Settings

log = structlog.get_logger()

SWITCH_SECONDS = 0.001
"""After which a thread that runs Python lets another run. A single call needs its turn some twenty times; beside a bulk
load each costs up to this, and Python's own 5 ms made a hundred."""
_SAMPLE = """گشایش پل
پل تازه شهر پس از ۳ سال کار گشوده شد و از فردا روزی ۱۲ هزار خودرو از آن می‌گذرد. شهردار گفت: «این پل راه دو سوی رود را
بیست دقیقه کوتاه می‌کند و هزینه ساخت آن ۷۵٫۵ میلیارد تومان بوده است.» او افزود که پل دوم نیز تا بهمن به پایان می‌رسد."""


_LEAD = """باران دو روز گذشته در دشت‌های شمالی سیل به راه انداخت و راه چند روستا را بست. امدادگران از بامداد امروز با
قایق و بالگرد به خانه‌هایی رسیدند که آب دور آن‌ها را گرفته بود؛ به گفته فرماندار به کسی آسیبی نرسیده است."""
"""Another report, to stand above what the sample ends with."""


def run(settings: Settings, protection: Protection, announce: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT, and *announce* one line with the addresses once calls are answered.

    Args:
        protection: What the files of *settings* held; they are watched from here on.

    Raises:
        ListenError: An address is taken.
        StoreError, ProfileMismatch: The data folder cannot be used.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    os.umask(0o077)  # whatever is written, temporary files and backups too, is for this user alone
    metrics = Metrics()
    logs.configure(settings.log_format, settings.log_level, count=metrics.count_line)
    _warn(protection)
    with _metrics_endpoint(settings.metrics, metrics) as metrics_address:
        uvloop.run(_serve(settings, protection, metrics, metrics_address, announce))


def _warn(protection: Protection) -> None:
    """Log what is wrong with what the server starts from, and keeps it from nothing."""
    for warning in protection.warnings:
        log.warning("secrets are exposed", reason=warning)
    if not kernel.CACHED:
        log.warning("kernels are not kept", reason=fault_of(cache_folder()) or f"{cache_folder()} cannot be written")


@contextmanager
def _metrics_endpoint(address: Address | None, metrics: Metrics) -> Iterator[Address | None]:
    if address is None:
        yield None
        return
    try:
        httpd, thread = start_http_server(address.port, address.host, registry=metrics.registry)
    except OSError as error:
        raise ListenError(f"Cannot listen on {address} for metrics: {error.strerror}.") from None
    try:
        yield address.with_port(httpd.server_port)
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


async def _serve(
    settings: Settings,
    protection: Protection,
    metrics: Metrics,
    metrics_address: Address | None,
    announce: Callable[[str], None],
) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    tracing = _tracing(settings)
    server = Server(settings, protection, metrics, tracing)
    addresses = await server.start()
    if metrics_address:
        addresses["metrics"] = metrics_address
    log.info(
        "listening",
        tls=protection.certificates is not None,
        tokens=protection.tokens is not None,
        **{name: str(address) for name, address in addresses.items()},
    )
    engine: Engine | None = None
    last = ExitStack()
    try:
        engine = await asyncio.to_thread(_open, settings, metrics, stopped.is_set)
        if not stopped.is_set():
            last.enter_context(_exported(engine, settings, metrics.registry))
            garbage.spare()
            server.serve(engine)
            announce(" ".join(["ready", *(f"{name}={address}" for name, address in addresses.items())]))
        await stopped.wait()
        log.info("stopping", drain_seconds=settings.drain_seconds, grace_seconds=settings.grace_seconds)
    finally:
        await server.stop()
        await asyncio.to_thread(last.close)
        if engine is not None:
            await asyncio.to_thread(engine.close)
        await asyncio.to_thread(tracing.close)
    log.info("stopped")


def _tracing(settings: Settings) -> Tracing:
    if not settings.traces:
        return NoTracing()
    require_otel()
    from baznashr_server.obs import tracing  # noqa: PLC0415 - of an extra

    return tracing.OpenTelemetry(tracing.exporter(settings.traces), settings.trace_ratio)


@contextmanager
def _exported(engine: Engine, settings: Settings, registry: CollectorRegistry) -> Iterator[None]:
    """Export what is read from *engine*."""
    operations = engine.operations
    census = CensusCollector(operations.census, settings.metrics_corpora, settings.census_seconds)
    collectors = (SizesCollector(engine.sizes, settings.metrics_corpora), StorageCollector(operations), census)
    for collector in collectors:
        registry.register(collector)
    census.start()
    try:
        yield
    finally:
        for collector in collectors:
            registry.unregister(collector)
        census.stop()


def warm_up(is_enough: Callable[[], bool] = lambda: False) -> None:
    """Make the kernels ready, by the work they are for in a folder that is thrown away.

    Without it the first callers would wait seconds, minutes where nothing is cached, for the compiler.

    Args:
        is_enough: Asked between two pieces of it, whether to leave it at that.
    """
    edited = Document(id="edited", text=_SAMPLE.replace("۱۲ هزار", "۱۵ هزار"), title="گشایش پل")
    documents = (
        Document(id="first", text=_SAMPLE, title="پل تازه شهر"),
        edited,
        Document(id="led", text=f"{_LEAD} {_SAMPLE[len(_SAMPLE) // 2 :]}", title="سیل در دشت"),
        Document(id="doubled", text=f"{_SAMPLE}\n\n{_SAMPLE}", title="گشایش پل"),
        Document(id="long", text=" ".join(map(str, range(60_000)))),  # fills the first tables; they grow
    )
    with TemporaryDirectory(prefix="baznashr-") as folder, Engine.open(folder) as engine:
        pieces: list[Callable[[], object]] = [
            *(partial(engine.ingest, document) for document in documents),
            partial(engine.check, edited.text),
            partial(engine.compare, _SAMPLE, edited.text),
            partial(engine.delete, "first"),
            engine.list_boilerplate,
        ]
        for piece in pieces:
            if is_enough():
                return
            piece()


def _open(settings: Settings, metrics: Metrics, is_stopped: Callable[[], bool]) -> Engine:
    """Open the engine, with its tables filled and, unless the server is stopped meanwhile, its kernels ready."""
    begun = time.perf_counter()
    engine = Engine.open(
        settings.data,
        observer=MetricsObserver(metrics.engine),
        group_commit_max_documents=settings.group_commit_max_documents,
        group_commit_wait_ms=settings.group_commit_wait_ms,
        snapshot_seconds=settings.snapshot_seconds,
        profile=settings.profile or None,
    )
    opened = time.perf_counter()
    metrics.tell_profile(engine.profile)
    metrics.start_seconds.labels("recovery").set(opened - begun)
    try:
        warm_up(is_stopped)
        metrics.start_seconds.labels("warm_up").set(time.perf_counter() - opened)
    except (OSError, StoreError) as error:  # such as no folder for temporary files: slow at first is better than never
        log.warning("not warmed up", reason=str(error))
    except BaseException:
        engine.close()
        raise
    return engine
