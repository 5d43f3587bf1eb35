"""People with pages open: each page asks for its news every 1.5 s, as static/pages/live.js does, by its last ETag.

Run as a program it takes orders, as tests.bench.child has them.
"""

import http.client
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import cycle, islice

from tests.bench.child import Order, serve

_PAUSE = 1.5
_SILENCE_SECONDS = 30.0


@dataclass
class Page:
    """One open page: where it asks, and what it was answered."""

    path: str
    statuses: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    tag: str = ""


class Watching:
    """Open pages, each with a connection and a thread of its own, until `close`."""

    def __init__(self, port: int, session: str, paths: Sequence[str], pages: int) -> None:
        self.pages = [Page(path) for path in islice(cycle(paths), pages)]
        self._over = threading.Event()
        self._cookie = f"sessionid={session}"
        self._threads = [
            threading.Thread(target=self._look, args=(page, port, _PAUSE * place / pages), daemon=True)
            for place, page in enumerate(self.pages)
        ]
        for thread in self._threads:
            thread.start()

    def close(self) -> list[Page]:
        """Close them; give what each was told."""
        self._over.set()
        for thread in self._threads:
            thread.join()
        return self.pages

    def _look(self, page: Page, port: int, after: float) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SILENCE_SECONDS)
        # People do not open their pages all at the same moment.
        self._over.wait(after)
        while not self._over.is_set():
            begun = time.perf_counter()
            headers = {"Cookie": self._cookie, "X-Live": "1"}
            connection.request(
                "GET", page.path, headers=headers | ({"If-None-Match": page.tag} if page.tag else {})
            )
            answer = connection.getresponse()
            answer.read()
            page.statuses.append(answer.status)
            page.times.append(time.perf_counter() - begun)
            page.tag = answer.headers.get("ETag", page.tag)
            self._over.wait(_PAUSE)
        connection.close()


_watching: list[Watching] = []


def answer(order: Order) -> Order:
    """Carry out {port, session, paths, pages}: open pages; or {close: true}: give statuses and seconds."""
    if "close" not in order:
        _watching.append(Watching(order["port"], order["session"], order["paths"], order["pages"]))
        return {}
    pages = _watching.pop().close()
    return {
        "statuses": [status for page in pages for status in page.statuses],
        "times": [seconds for page in pages for seconds in page.times],
    }


if __name__ == "__main__":
    serve(answer)
