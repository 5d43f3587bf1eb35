"""Having a device for a time: requested, waited for, renewed in the background, returned at the end."""

from __future__ import annotations

import contextlib
import functools
import logging
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, Callable, Union

from mozpool_client.errors import MozpoolError, Unavailable
from mozpool_client.following import check_ready, has_lost
from mozpool_client.models import HeldDevice, Request
from mozpool_client.plans import Order
from mozpool_client.transport import Stopped

if TYPE_CHECKING:
    from mozpool_client.sync import Mozpool

_log = logging.getLogger("mozpool_client")
Told = Callable[[Union[Request, MozpoolError]], object]


class Keeper:
    """A thread that files an order, and renews the request until it ends.

    `tell` is called in that thread: with the request at each look, or with the error that ended the keeping.
    """

    def __init__(self, pool: Mozpool, order: Order, tell: Told) -> None:
        self.request: Request | None = None
        self._pool = pool
        self._order = order
        self._tell = tell
        self._filed = threading.Event()
        self._thread = threading.Thread(target=self._run, name="mozpool-keeper", daemon=True)

    def start(self) -> None:
        """File the order, and keep the request from then on."""
        self._thread.start()

    def give_back(self, patience: float) -> Request | None:
        """End the keeping and give the device back, if there is one to give; tried for `patience` seconds.

        Raises MozpoolError when that did not work: then the request lasts until it expires.
        """
        self._pool.stop()
        # A filing that is on its way is awaited: what it files has to be returned.
        self._filed.wait(patience)
        if self.request is None or self.request.has_ended:
            return self.request
        with self._pool.again() as pool:
            return pool.return_(self.request.id, patience=patience)

    def _run(self) -> None:
        try:
            with contextlib.suppress(Stopped):
                self._file_and_keep()
        except MozpoolError as error:
            self._tell(error)
        except Exception as error:  # noqa: BLE001 -- it is told, with its cause
            # Whoever waits for news of a thread that died without a word would wait for ever.
            fault = MozpoolError(f"a fault of the client: {error!r}", code="fault")
            fault.__cause__ = error
            self._tell(fault)
        finally:
            self._filed.set()
            self._pool.close()

    def _file_and_keep(self) -> None:
        self.request = self._pool.file(self._order)
        self._filed.set()
        self._tell(self.request)
        for seen in self._pool.keep(self.request, self._order.duration):
            self.request = seen
            self._tell(seen)


class Hold:
    """A device of one's own for the length of a `with`, which begins when it is ready.

    Raises what `Mozpool.request` and `Mozpool.wait_ready` do. When the request ends meanwhile, `lost` is True.
    """

    def __init__(
        self,
        pool: Mozpool,
        order: Order,
        *,
        timeout: float | None = None,
        progress: Callable[[Request], object] | None = None,
        patience: float = 30.0,
    ) -> None:
        self._keeper = Keeper(pool.again(), order, self._told)
        self._timeout = timeout
        self._progress = progress
        self._patience = patience
        self._changed = threading.Condition()
        self._error: MozpoolError | None = None
        self._latest: Request | None = None
        self._given: Request | None = None

    @property
    def request(self) -> Request:
        """The request as it was last seen."""
        if self._latest is None:
            raise RuntimeError("nothing is held outside of the `with`")
        return self._latest

    @property
    def device(self) -> HeldDevice:
        """The device. Raises RuntimeError when it is lost."""
        device = self.request.device
        if device is None or self.lost:
            raise RuntimeError(f"request {self.request.id} is {self.request.state}: its device is gone")
        return device

    @property
    def lost(self) -> bool:
        """Whether the device was taken away: the request expired, was returned, or has got another device instead."""
        return self._given is not None and has_lost(self.request, self._given)

    @property
    def trouble(self) -> MozpoolError | None:
        """What ended the renewing, such as a token that is no longer good; the device lasts until it expires."""
        return self._error

    def __enter__(self) -> Hold:  # noqa: PYI034 -- nobody subclasses it
        self._keeper.start()
        try:
            self._wait()
        except BaseException:
            self._give_back(quietly=True)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._give_back(quietly=error is not None)

    def _wait(self) -> None:
        ends = None if self._timeout is None else time.monotonic() + self._timeout
        told: Request | None = None
        while True:
            with self._changed:
                self._changed.wait_for(
                    functools.partial(self._news, told),
                    None if ends is None else max(0.0, ends - time.monotonic()),
                )
                latest, error = self._latest, self._error
            if error is not None:
                raise error
            if latest is None:
                raise Unavailable("the request could not be filed in time", servers={})
            if latest is not told and self._progress is not None:
                self._progress(latest)
            if latest is told or latest.is_ready or latest.has_ended:
                check_ready(latest, self._timeout)
                self._given = latest
                return
            told = latest

    def _give_back(self, *, quietly: bool) -> None:
        """Return the device; `quietly` where another error is on its way that says more."""
        try:
            self._keeper.give_back(self._patience)
        except MozpoolError as error:
            if not quietly:
                raise
            _log.warning("request %s was not returned: %s", self._latest and self._latest.id, error)

    def _news(self, told: Request | None) -> bool:
        return self._error is not None or self._latest is not told

    def _told(self, what: Request | MozpoolError) -> None:
        with self._changed:
            if isinstance(what, MozpoolError):
                self._error = what
            else:
                self._latest = what
            self._changed.notify_all()
