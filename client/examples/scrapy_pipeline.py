"""A Scrapy item pipeline that drops articles that repeat what is stored. Needs Scrapy 2.14 or later.

    ITEM_PIPELINES = {"scrapy_pipeline.RepeatPipeline": 300}   # before the pipeline that stores
    BAZNASHR_SERVER = "127.0.0.1:50051"
    BAZNASHR_CORPUS = "default"

Items have a ``url``, which is their id, a ``text``, and perhaps a ``title`` and an aware ``published_at``. Those that
pass carry ``verdict``, None where the service was away: they pass then, and the crawl's stats count them.
"""

from urllib.parse import urlsplit

from itemadapter import ItemAdapter
from scrapy.exceptions import DropItem

from baznashr import AsyncClient, BaznashrError, Document
from baznashr.pipeline import AsyncRepeatGuard


class RepeatPipeline:
    """Asks for each item whether to store it."""

    def __init__(self, server, corpus, stats):
        self._client = AsyncClient(server)
        self._guard = AsyncRepeatGuard(self._client, corpus, on_unavailable="accept")
        self._stats = stats

    @classmethod
    def from_crawler(cls, crawler):
        """Read the settings."""
        settings = crawler.settings
        return cls(settings["BAZNASHR_SERVER"], settings.get("BAZNASHR_CORPUS", "default"), crawler.stats)

    async def process_item(self, item):
        """Let an item through, or drop it."""
        fields = ItemAdapter(item)
        document = Document(
            id=fields["url"],
            text=fields["text"],
            title=fields.get("title") or "",
            source=urlsplit(fields["url"]).hostname or "",
            url=fields["url"],
            published_at=fields.get("published_at"),
        )
        try:
            admission = await self._guard.admit(document)
        except BaznashrError as error:
            self._stats.inc_value(f"baznashr/refused/{error.reason}")
            raise DropItem(f"refused: {error}") from error
        judgement = admission.judgement
        self._stats.inc_value(f"baznashr/{judgement.verdict if judgement else 'unjudged'}")
        if not admission.store:
            raise DropItem(f"{judgement.verdict} of {judgement.canonical_id}")
        fields["verdict"] = str(judgement.verdict) if judgement else None
        return item

    async def close_spider(self):
        """End the connection."""
        self._guard.close()
        await self._client.close()
