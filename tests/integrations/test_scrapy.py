"""The Scrapy pipeline: a real spider against a local site."""

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from baznashr import Client

pytest.importorskip("scrapy", reason="the dependency group integrations is not installed")
pytestmark = pytest.mark.packaging

STORY = (
    "شهرداری اصفهان اعلام کرد خط دوم مترو تا پایان سال آینده به بهره‌برداری می‌رسد و روزانه صد هزار مسافر را جابه‌جا "
    "می‌کند. شهردار گفت هفتاد درصد کار پیش رفته و سه ایستگاه مرکزی آماده‌ی آزمایش است. هزینه‌ی طرح از محل اوراق "
    "مشارکت تأمین شده و پیمانکار ایرانی است."
)
PAGES = {
    "/1": STORY,
    "/2": "قیمت پیاز در بازار تهران پس از یک ماه کاهش یافت و میدان‌های میوه و تره‌بار با کمبودی روبه‌رو نیستند.",
    "/3": "به گزارش خبرنگار ما، " + STORY,
    "/4": "؟!",
}
SPIDER = """
import json, sys
import scrapy
from scrapy.crawler import CrawlerProcess

class News(scrapy.Spider):
    name = "news"
    custom_settings = {"CONCURRENT_REQUESTS": 1}
    def __init__(self, site, **kwargs):
        super().__init__(**kwargs)
        self.start_urls = [f"{site}/{page}" for page in (1, 2, 3, 4)]
    def parse(self, response):
        yield {"url": response.url, "text": response.css("p::text").get()}

site, server, corpus, out = sys.argv[1:]
process = CrawlerProcess({
    "ITEM_PIPELINES": {"scrapy_pipeline.RepeatPipeline": 300},
    "BAZNASHR_SERVER": server, "BAZNASHR_CORPUS": corpus,
    "FEEDS": {out: {"format": "json"}}, "TELNETCONSOLE_ENABLED": False, "LOG_LEVEL": "WARNING",
})
crawler = process.create_crawler(News)
process.crawl(crawler, site=site)
process.start()
stats = {name: value for name, value in crawler.stats.get_stats().items() if name.startswith("baznashr/")}
print(json.dumps(stats))
"""


class Site(BaseHTTPRequestHandler):
    """Serves the pages."""

    def do_GET(self):
        """Answer with a page, or with none."""
        body = f"<html><body><p>{PAGES.get(self.path, '')}</p></body></html>".encode()
        self.send_response(200 if self.path in PAGES else 404)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def site():
    """The address of a small news site."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def crawl(examples, *arguments):
    """Run the spider; return the stats of the pipeline."""
    command = [sys.executable, "-c", SPIDER, *map(str, arguments)]
    result = subprocess.run(command, cwd=examples, capture_output=True, text=True, timeout=50, check=False)
    problems = [line for line in result.stderr.splitlines() if "ERROR" in line or "Traceback" in line]
    assert (result.returncode, problems) == (0, []), result.stderr
    return json.loads(result.stdout.splitlines()[-1])


def test_a_crawl_keeps_what_is_new(examples, site, baznashr_address, baznashr_corpus, tmp_path):
    """New articles reach the feed, the copy is dropped, the text without a letter is refused, and stats say so."""
    stats = crawl(examples, site, baznashr_address, baznashr_corpus, tmp_path / "out.json")
    assert stats == {"baznashr/NEW": 2, "baznashr/NEAR_DUPLICATE": 1, "baznashr/refused/EMPTY_TEXT": 1}
    items = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert {item["verdict"] for item in items} == {"NEW"}
    # Pages are fetched in order and judged at once, so either of the two may be the first.
    kept = {item["url"] for item in items}
    (original,), (copy,) = ({f"{site}/1", f"{site}/3"} & kept, {f"{site}/1", f"{site}/3"} - kept)
    assert kept == {original, f"{site}/2"}
    with Client(baznashr_address) as client:
        assert client.get(copy, baznashr_corpus).judgement.canonical_id == original


def test_a_crawl_goes_on_without_the_service(examples, site, tmp_path):
    """With nobody listening every article reaches the feed, and the count says that they were not judged."""
    stats = crawl(examples, site, "127.0.0.1:1", "default", tmp_path / "out.json")
    assert stats == {"baznashr/unjudged": 4}
    items = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert [item["verdict"] for item in items] == [None] * 4
