"""Old clients' questions to hardware, as async views: who of them is kept waiting holds up nobody else."""

import asyncio
import threading

from django.http import HttpRequest, HttpResponse

from bmm.api.pending import in_no_thread
from mozpool_site.waiting import in_thread


def test_questions_that_wait_for_a_locked_row_hold_up_nobody_who_waits_for_news() -> None:
    free = threading.Event()

    def locked(_: HttpRequest) -> HttpResponse:
        free.wait(10)
        return HttpResponse("asked")

    async def story() -> tuple[str, set[bytes]]:
        view = in_no_thread(locked)
        asked = [asyncio.ensure_future(view(HttpRequest())) for _ in range(4)]
        await asyncio.sleep(0.1)
        try:
            news = await asyncio.wait_for(in_thread(lambda: "news"), 2)
        finally:
            free.set()
        return news, {answer.content for answer in await asyncio.gather(*asked)}

    assert asyncio.run(story()) == ("news", {b"asked"})
