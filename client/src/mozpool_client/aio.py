"""The pool for asyncio programs: `AsyncMozpool`, the same plans over an asynchronous transport."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, Callable, TypeVar

import httpx

from mozpool_client import following
from mozpool_client.environment import http_options
from mozpool_client.following import Followed
from mozpool_client.models import Device, Identity, Image, JournalLine, Login, Operation, Request
from mozpool_client.plans import DEFAULT_DURATION, Order, Plans, wait_for
from mozpool_client.servers import Servers
from mozpool_client.sse import Lines
from mozpool_client.transport import FAILURES, USER_AGENT, begun, no_answer, request_arguments
from mozpool_client.wire import Answer, Emit, Flow, NextLine, NoAnswer, Plan, Send, Sleep

T = TypeVar("T")

# What a cancelled task has filed is awaited so long, to be returned.
_LAST_SECONDS = 10.0


class AsyncMozpool:
    """As `Mozpool`, each method to be awaited; one event loop's own."""

    def __init__(
        self,
        servers: Iterable[str],
        token: str | Mapping[str, str] | None = None,
        *,
        patience: float = 60.0,
        verify: Any = True,
    ) -> None:
        self._plans = Plans(Servers(servers, token, USER_AGENT, patience))
        self._http = httpx.AsyncClient(
            **http_options(self._plans.servers.urls, verify, httpx.AsyncHTTPTransport)
        )

    async def request(  # noqa: PLR0913 -- each is a wish that somebody may have
        self,
        image: str,
        *,
        device: str | None = None,
        environment: str | None = None,
        hardware: str | None = None,
        tags: Sequence[str] = (),
        boot_config: Mapping[str, Any] | None = None,
        duration: int = DEFAULT_DURATION,
        max_wait: int | None = None,
        assignee: str | None = None,
        priority: int | None = None,
        webhook: Mapping[str, str] | None = None,
    ) -> Request:
        """See `Mozpool.request`."""
        return await self.file(
            Order(
                image,
                device=device,
                environment=environment,
                hardware=hardware,
                tags=tags,
                boot_config=boot_config or {},
                duration=duration,
                max_wait=max_wait,
                assignee=assignee,
                priority=priority,
                webhook=webhook,
            )
        )

    async def file(self, order: Order) -> Request:
        """See `Mozpool.file`."""
        return await self._do(self._plans.file(order))

    async def get(self, request: int) -> Request:
        """See `Mozpool.get`."""
        return await self._do(self._plans.look(request))

    async def requests(self, *, limit: int | None = None, **filters: Any) -> list[Request]:
        """See `Mozpool.requests`."""
        return await self._do(self._plans.requests(filters, limit))

    async def wait_ready(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        progress: Callable[[Request], object] | None = None,
    ) -> Request:
        """See `Mozpool.wait_ready`."""
        async for seen in self._flow(following.until_ready(self._plans, request, timeout)):
            request = seen
            if progress is not None:
                progress(seen)
        return request

    async def renew(self, request: int, duration: int) -> Request:
        """See `Mozpool.renew`."""
        return await self._do(self._plans.renew(request, duration))

    async def return_(self, request: int, *, patience: float | None = None) -> Request:
        """See `Mozpool.return_`."""
        return await self._do(self._plans.give_back(request, patience))

    def keep(self, request: Request, duration: int) -> AsyncIterator[Request]:
        """See `Mozpool.keep`."""
        return self._flow(following.keep(self._plans, request, duration))

    @contextlib.asynccontextmanager
    async def hold(
        self,
        image: str,
        *,
        timeout: float | None = None,
        progress: Callable[[Request], object] | None = None,
        **wishes: Any,
    ) -> AsyncIterator[Request]:
        """Have a device for an `async with`; gives the request when it is ready. See `Mozpool.hold`."""
        wishes["max_wait"] = wait_for(timeout, wishes.get("max_wait"))
        order = Order(image, **wishes)
        request = await self._file_or_return(order)
        keeping = asyncio.create_task(self._keep(request, order.duration))
        try:
            yield await self.wait_ready(request, timeout=timeout, progress=progress)
        finally:
            keeping.cancel()
            # What has ended the renewing, such as a token that is no longer good, must not keep us from returning.
            await asyncio.gather(keeping, return_exceptions=True)
            # Returned also when this very task is being cancelled.
            await asyncio.shield(self.return_(request.id))

    async def devices(self, *, limit: int | None = None, **filters: Any) -> list[Device]:
        """See `Mozpool.devices`."""
        return await self._do(self._plans.devices(filters, limit))

    async def device(self, name: str) -> Device:
        """See `Mozpool.device`."""
        return await self._do(self._plans.device(name))

    async def images(self) -> list[Image]:
        """See `Mozpool.images`."""
        return await self._do(self._plans.images())

    async def power_cycle(
        self, device: str, *, netboot: str | None = None, boot_config: Mapping[str, Any] | None = None
    ) -> Operation:
        """See `Mozpool.power_cycle`."""
        return await self._do(self._plans.power_cycle(device, netboot, boot_config))

    async def operation(self, number: int) -> Operation:
        """See `Mozpool.operation`."""
        return await self._do(self._plans.operation(number))

    async def journal(
        self,
        *,
        device: str | None = None,
        request: int | None = None,
        limit: int | None = None,
        **filters: Any,
    ) -> list[JournalLine]:
        """See `Mozpool.journal`."""
        return await self._do(self._plans.journal(device, request, filters, limit))

    def follow(
        self, *, device: str | None = None, request: int | None = None, after: int | None = None
    ) -> AsyncIterator[Followed]:
        """See `Mozpool.follow`."""
        return self._flow(following.follow(self._plans, device=device, request=request, after=after))

    async def whoami(self) -> Identity:
        """See `Mozpool.whoami`."""
        return await self._do(self._plans.whoami())

    async def login(
        self, username: str, password: str, *, token_name: str | None = None, expires_in: int | None = None
    ) -> Login:
        """See `Mozpool.login`."""
        return await self._do(self._plans.login(username, password, token_name, expires_in))

    @property
    def servers(self) -> list[str]:
        """The servers, the one that answered last first."""
        return list(self._plans.servers.urls)

    async def close(self) -> None:
        """End all connections."""
        await self._http.aclose()

    async def __aenter__(self) -> AsyncMozpool:  # noqa: PYI034 -- nobody subclasses a client
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def _file_or_return(self, order: Order) -> Request:
        """File an order; what it files for a task that is cancelled meanwhile is returned."""
        filing = asyncio.create_task(self.file(order))
        try:
            return await asyncio.shield(filing)
        except asyncio.CancelledError:
            # A server that is there answers by then; nobody waits longer for one that is not.
            await asyncio.wait({filing}, timeout=_LAST_SECONDS)
            if filing.done() and not filing.exception():
                await asyncio.shield(self.return_(filing.result().id))
            filing.cancel()
            raise

    async def _keep(self, request: Request, duration: int) -> None:
        async for _ in self.keep(request, duration):
            pass

    async def _do(self, plan: Plan[T]) -> T:
        outcome: Answer | NoAnswer | None = None
        try:
            while True:
                effect = plan.send(outcome)
                outcome = None
                if isinstance(effect, Sleep):
                    await asyncio.sleep(effect.seconds)
                else:
                    outcome = await self._send(effect)
        except StopIteration as done:
            result: T = done.value
            return result

    async def _flow(self, flow: Flow[T]) -> AsyncIterator[T]:
        outcome: Answer | NoAnswer | str | None = None
        async with contextlib.AsyncExitStack() as streams:
            lines: AsyncIterator[str] = _nothing()
            while True:
                try:
                    effect = flow.send(outcome)
                except StopIteration:
                    return
                outcome = None
                if isinstance(effect, Emit):
                    yield effect.value
                elif isinstance(effect, Sleep):
                    await asyncio.sleep(effect.seconds)
                elif isinstance(effect, NextLine):
                    outcome = await _next_line(lines)
                elif effect.stream:
                    outcome, lines = await self._begin(effect, streams)
                else:
                    outcome = await self._send(effect)

    async def _send(self, effect: Send) -> Answer | NoAnswer:
        try:
            response = await self._http.request(**request_arguments(effect))
        except FAILURES as error:
            return no_answer(error)
        return Answer(response.status_code, response.headers, response.content)

    async def _begin(
        self, effect: Send, streams: contextlib.AsyncExitStack
    ) -> tuple[Answer | NoAnswer, AsyncIterator[str]]:
        await streams.aclose()
        try:
            response = await streams.enter_async_context(self._http.stream(**request_arguments(effect)))
            body = b"" if begun(response) else await response.aread()
        except FAILURES as error:
            return no_answer(error), _nothing()
        return Answer(response.status_code, response.headers, body), _lines(response)


async def _lines(response: httpx.Response) -> AsyncIterator[str]:
    cut = Lines()
    async for piece in response.aiter_text():
        for line in cut.feed(piece):
            yield line


async def _next_line(lines: AsyncIterator[str]) -> str | NoAnswer | None:
    try:
        return await lines.__anext__()
    except StopAsyncIteration:
        return None
    except FAILURES as error:
        return no_answer(error)


async def _nothing() -> AsyncIterator[str]:
    no_lines: tuple[str, ...] = ()
    for line in no_lines:
        yield line
