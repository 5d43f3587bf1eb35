"""The pool for programs that wait: `Mozpool`, a thin transport under the plans."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, Callable, TypeVar

import httpx

from mozpool_client import following
from mozpool_client.environment import http_options
from mozpool_client.following import Followed
from mozpool_client.holding import Hold
from mozpool_client.models import Device, Identity, Image, JournalLine, Login, Operation, Request
from mozpool_client.plans import DEFAULT_DURATION, Order, Plans, wait_for
from mozpool_client.servers import Servers
from mozpool_client.sse import Lines
from mozpool_client.transport import FAILURES, USER_AGENT, Stopped, begun, no_answer, request_arguments
from mozpool_client.wire import Answer, Emit, Flow, NextLine, NoAnswer, Plan, Send, Sleep

T = TypeVar("T")


class Mozpool:
    """A pool, by the URLs of its servers; they are tried in random order until one answers.

    `token` is one for all servers, or one for each; without one the caller is known by its address. A call is
    tried for `patience` seconds while servers are away. Every method raises MozpoolError. Threads may share it.
    """

    def __init__(
        self,
        servers: Iterable[str],
        token: str | Mapping[str, str] | None = None,
        *,
        patience: float = 60.0,
        verify: Any = True,
    ) -> None:
        self._connect(Servers(servers, token, USER_AGENT, patience), verify)

    def _connect(self, servers: Servers, verify: Any) -> None:
        self._plans = Plans(servers)
        self._verify = verify
        self._http = httpx.Client(**http_options(self._plans.servers.urls, verify, httpx.HTTPTransport))
        self._stopped = threading.Event()

    def request(  # noqa: PLR0913 -- each is a wish that somebody may have
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
        """File a request for a device with an image; it is filed once, however often tried.

        It has the device for `duration` seconds from the moment that it is ready, and waits for one that is free for
        `max_wait` seconds (None: a day; 0: now or never).
        Raises Conflict when it does not wait and nothing is free, Impossible when no device could ever serve it.
        """
        return self.file(
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

    def file(self, order: Order) -> Request:
        """File an order; the same order again gives the same request."""
        return self._do(self._plans.file(order))

    def get(self, request: int) -> Request:
        """Look at a request."""
        return self._do(self._plans.look(request))

    def requests(self, *, limit: int | None = None, **filters: Any) -> list[Request]:
        """List requests: state, open, owner ("me"), assignee, image, device, environment, tag, ordering."""
        return self._do(self._plans.requests(filters, limit))

    def wait_ready(
        self,
        request: Request,
        *,
        timeout: float | None = None,
        progress: Callable[[Request], object] | None = None,
    ) -> Request:
        """Wait until a request is ready, and give it as it is then; `progress` is told of each look.

        Raises RequestEnded when it ends before, NotReadyInTime after `timeout` seconds.
        """
        for seen in self._flow(following.until_ready(self._plans, request, timeout)):
            request = seen
            if progress is not None:
                progress(seen)
        return request

    def renew(self, request: int, duration: int) -> Request:
        """Set the seconds left, counted from now, or from the moment that it is ready.

        Raises Conflict when the request has ended.
        """
        return self._do(self._plans.renew(request, duration))

    def return_(self, request: int, *, patience: float | None = None) -> Request:
        """Give the device back; again is fine."""
        return self._do(self._plans.give_back(request, patience))

    def keep(self, request: Request, duration: int) -> Iterator[Request]:
        """Renew a request again and again for `duration` seconds, and give it at each look, until it has ended."""
        return self._flow(following.keep(self._plans, request, duration))

    def hold(
        self,
        image: str,
        *,
        timeout: float | None = None,
        progress: Callable[[Request], object] | None = None,
        **wishes: Any,
    ) -> Hold:
        """Have a device for a `with`: request it (see `request`), wait, renew meanwhile, and return it at the end."""
        wishes["max_wait"] = wait_for(timeout, wishes.get("max_wait"))
        return Hold(self, Order(image, **wishes), timeout=timeout, progress=progress)

    def devices(self, *, limit: int | None = None, **filters: Any) -> list[Device]:
        """List devices: state, rack, environment, hardware_type, image, health, tag, held, idle, search, ordering."""
        return self._do(self._plans.devices(filters, limit))

    def device(self, name: str) -> Device:
        """Look at a device."""
        return self._do(self._plans.device(name))

    def images(self) -> list[Image]:
        """List images."""
        return self._do(self._plans.images())

    def power_cycle(
        self, device: str, *, netboot: str | None = None, boot_config: Mapping[str, Any] | None = None
    ) -> Operation:
        """Switch a device off and on; give the operation to follow.

        It boots from the network with the boot config `netboot`, which is told `boot_config`; else from its own
        storage. The call is tried again only if it can't have begun.
        """
        return self._do(self._plans.power_cycle(device, netboot, boot_config))

    def operation(self, number: int) -> Operation:
        """Look at an operation."""
        return self._do(self._plans.operation(number))

    def journal(
        self,
        *,
        device: str | None = None,
        request: int | None = None,
        limit: int | None = None,
        **filters: Any,
    ) -> list[JournalLine]:
        """List what happened to a device, to a request, or in the pool."""
        return self._do(self._plans.journal(device, request, filters, limit))

    def follow(
        self, *, device: str | None = None, request: int | None = None, after: int | None = None
    ) -> Iterator[Followed]:
        """Give what happens as it happens: lines of the journal, and the request's changes.

        `after`: first the old lines with ids above this. A request's events end with it; others never do.
        """
        return self._flow(following.follow(self._plans, device=device, request=request, after=after))

    def whoami(self) -> Identity:
        """Ask who the pool takes us for."""
        return self._do(self._plans.whoami())

    def login(
        self, username: str, password: str, *, token_name: str | None = None, expires_in: int | None = None
    ) -> Login:
        """Exchange a password for a token that is good for `expires_in` seconds."""
        return self._do(self._plans.login(username, password, token_name, expires_in))

    @property
    def servers(self) -> list[str]:
        """The servers, the one that answered last first."""
        return list(self._plans.servers.urls)

    def again(self) -> Mozpool:
        """Give another client of the same servers, with connections of its own."""
        other = Mozpool.__new__(Mozpool)
        other._connect(self._plans.servers, self._verify)  # noqa: SLF001 -- the same class
        return other

    def stop(self) -> None:
        """Call off what other threads wait for: they get Stopped at their next pause."""
        self._stopped.set()

    def close(self) -> None:
        """End all connections."""
        self._http.close()

    def __enter__(self) -> Mozpool:  # noqa: PYI034 -- nobody subclasses a client
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _do(self, plan: Plan[T]) -> T:
        outcome: Answer | NoAnswer | None = None
        try:
            while True:
                effect = plan.send(outcome)
                outcome = None
                if isinstance(effect, Sleep):
                    self._pause(effect)
                else:
                    outcome = self._send(effect)
        except StopIteration as done:
            result: T = done.value
            return result

    def _flow(self, flow: Flow[T]) -> Iterator[T]:
        outcome: Answer | NoAnswer | str | None = None
        with contextlib.ExitStack() as streams:
            lines: Iterator[str] = iter(())
            try:
                while True:
                    effect = flow.send(outcome)
                    outcome = None
                    if isinstance(effect, Emit):
                        yield effect.value
                    elif isinstance(effect, Sleep):
                        self._pause(effect)
                    elif isinstance(effect, NextLine):
                        outcome = _next_line(lines)
                    elif effect.stream:
                        outcome, lines = self._begin(effect, streams)
                    else:
                        outcome = self._send(effect)
            except StopIteration:
                return

    def _send(self, effect: Send) -> Answer | NoAnswer:
        if self._stopped.is_set():
            raise Stopped
        try:
            response = self._http.request(**request_arguments(effect))
        except FAILURES as error:
            return no_answer(error)
        return Answer(response.status_code, response.headers, response.content)

    def _begin(self, effect: Send, streams: contextlib.ExitStack) -> tuple[Answer | NoAnswer, Iterator[str]]:
        streams.close()
        if self._stopped.is_set():
            raise Stopped
        try:
            response = streams.enter_context(self._http.stream(**request_arguments(effect)))
            body = b"" if begun(response) else response.read()
        except FAILURES as error:
            return no_answer(error), iter(())
        return Answer(response.status_code, response.headers, body), _lines(response)

    def _pause(self, effect: Sleep) -> None:
        if self._stopped.wait(effect.seconds):
            raise Stopped


def _lines(response: httpx.Response) -> Iterator[str]:
    cut = Lines()
    for piece in response.iter_text():
        yield from cut.feed(piece)


def _next_line(lines: Iterator[str]) -> str | NoAnswer | None:
    try:
        return next(lines, None)
    except FAILURES as error:
        return no_answer(error)
