"""The names and the behaviour of the old client, over the legacy API: an old script only changes an import.

The names are those of `mozpoolclient`, and of mozharness's handler where that had more.
Kept: what is posted, what comes back, the exceptions, and that a failed POST is tried again up to ten times.
Different: a GET whose connection fails is tried again too, and a token may be given.
"""

from __future__ import annotations

import getpass
import json
import logging
import socket
import time
from typing import Any, Protocol

import httpx

from mozpool_client.environment import http_options
from mozpool_client.errors import ConfigError
from mozpool_client.transport import FAILURES, USER_AGENT, no_answer

# A failed call is tried again so often, each time after two seconds more.
_RETRIES = 10
_PAUSE = 2.0
_TIMEOUT = 20.0
_GOOD = range(200, 400)
_CONFLICT = 409
_JSON = {"Content-Type": "application/json"}


class Log(Protocol):
    """What is used of a logger, or of the `logging` module."""

    def debug(self, msg: str) -> object:
        """Take what only developers want to know."""

    def info(self, msg: str) -> object:
        """Take what is worth knowing."""

    def critical(self, msg: str) -> object:
        """Take what went wrong."""


class MozpoolException(Exception):
    """A call failed."""


class MozpoolConflictException(MozpoolException):
    """The named device is taken, or a device is not in the expected state (409)."""


def mozpool_status_ok(status: int) -> bool:
    """Whether a status is a good one."""
    return status in _GOOD


def check_mozpool_status(status: int) -> None:
    """Raise MozpoolConflictException for 409, MozpoolException for any other bad status."""
    if mozpool_status_ok(status):
        return
    if status == _CONFLICT:
        raise MozpoolConflictException
    raise MozpoolException(f"mozpool status not ok, code {status}")


class MozpoolHandler:
    """A pool by the URL of one server, without `/api`. `log_obj` is a logger, or anything with its methods."""

    def __init__(
        self, mozpool_api_url: str, log_obj: Log | None = None, *, token: str | None = None, **_: Any
    ) -> None:
        self.mozpool_api_url = mozpool_api_url.rstrip("/")
        self.mozpool_timeout = _TIMEOUT
        self.user = _user()
        self.hostname = socket.gethostname()
        self.log_obj: Log = log_obj or logging.getLogger("mozpool_client.legacy")
        self._token = token

    def url_get(self, url: str, decode_json: bool = True, **kwargs: Any) -> tuple[Any, int]:  # noqa: FBT002 -- old
        """GET a URL; give the answer and its status."""
        response = self._call("GET", url, None, kwargs.get("timeout"))
        return (self.decode_json(response.text) if decode_json else response.text), response.status_code

    def url_post(
        self,
        url: str,
        data: str,
        auth: Any = None,
        params: Any = None,
        good_statuses: Any = None,
        decode_json: bool = True,  # noqa: FBT002 -- as it was
        **kwargs: Any,
    ) -> tuple[Any, int]:
        """POST to a URL; give the answer and its status, None for an answer that is not good."""
        response = self._call("POST", url, data, kwargs.get("timeout"))
        if response.status_code not in (good_statuses or (200, 201, 202, 204, 302)):
            self.log_obj.critical(f"Bad return status from {url}: {response.status_code}!")
            return None, response.status_code
        return (self.decode_json(response.text) if decode_json else response.text), response.status_code

    def decode_json(self, contents: str) -> Any:
        """Read JSON. Raises MozpoolException."""
        try:
            return json.loads(contents)
        except (ValueError, TypeError) as error:
            raise MozpoolException(f"Can't decode json: {error}!") from error

    def partial_url_get(self, partial_url: str, **kwargs: Any) -> tuple[Any, int]:
        """GET a path of the server."""
        return self.url_get(self.mozpool_api_url + partial_url, **kwargs)

    def partial_url_post(self, partial_url: str, **kwargs: Any) -> tuple[Any, int]:
        """POST to a path of the server."""
        return self.url_post(self.mozpool_api_url + partial_url, **kwargs)

    def query_all_device_list(self, **kwargs: Any) -> Any:
        """Give the names of all devices."""
        return self._get("/api/device/list/", **kwargs).get("devices")

    def query_all_device_details(self, **kwargs: Any) -> Any:
        """Give all devices with what is known of each."""
        return self._get("/api/device/list/?details=1", **kwargs).get("devices")

    def query_device_details(self, device: str, **kwargs: Any) -> Any:
        """Give one device with what is known of it; None when there is no such device."""
        matches = [entry for entry in self.query_all_device_details(**kwargs) if entry["name"] == device]
        if len(matches) == 1:
            return matches[0]
        self.log_obj.critical(f"Couldn't find {device} in device list!")
        return None

    def query_device_status(self, device: str, **kwargs: Any) -> Any:
        """Give a device's `state` and the end of its `log`."""
        return self._get(f"/api/device/{device}/status/", **kwargs)

    def query_device_state(self, device: str, **kwargs: Any) -> Any:
        """Give a device's `state`."""
        return self._get(f"/api/device/{device}/state/", **kwargs)

    def query_device_log(self, device: str, **kwargs: Any) -> Any:
        """Give a device's `log`."""
        return self._get(f"/api/device/{device}/log/", **kwargs)

    def query_device_bootconfig(self, device: str, **kwargs: Any) -> Any:
        """Give the boot config of a device's next image, as text."""
        return self._get(f"/api/device/{device}/bootconfig/", decode_json=False, **kwargs)

    def request_device(
        self,
        device: str,
        image: str,
        duration: int = 30 * 60,
        assignee: str | None = None,
        pxe_config: str | None = None,
        b2gbase: str | None = None,
        environment: str = "any",
        **kwargs: Any,
    ) -> Any:
        """Request a device by name, or "any"; give the answer, whose `request` holds the `url` for further calls.

        Raises MozpoolConflictException when the named device is taken.
        """
        if image == "b2g" and b2gbase is None:
            raise AssertionError("b2gbase must be supplied when image=='b2g'")
        if duration != int(duration):
            raise AssertionError("whole seconds for duration, please")
        data = self._who(assignee, duration, pxe_config)
        data.update(image=image, environment=environment, b2gbase=b2gbase)
        return self._post(f"/api/device/{device}/request/", data)

    def renew_request(self, request_url: str, new_duration: int, **kwargs: Any) -> Any:
        """Set the seconds left of a request, counted from now."""
        return self._post_to(request_url + "renew/", {"duration": new_duration}, decode_json=False)

    def close_request(self, request_url: str, **kwargs: Any) -> Any:
        """Give the device of a request back."""
        if not request_url:
            return "request_url doesn't exist. Already closed?"
        return self._post_to(request_url + "return/", {}, decode_json=False)

    def query_all_requests(self, include_closed_requests: bool = False, **kwargs: Any) -> Any:  # noqa: FBT002 -- old
        """Give the `requests`."""
        return self._get(
            "/api/request/list/" + ("?include_closed=1" if include_closed_requests else ""), **kwargs
        )

    def query_request_status(self, request_url: str, **kwargs: Any) -> Any:
        """Give a request's `state` and the end of its `log`."""
        return self._get_from(request_url + "status/", **kwargs)

    def query_request_details(self, request_url: str, **kwargs: Any) -> Any:
        """Give a request."""
        return self._get_from(request_url + "details/", **kwargs)

    def device_power_cycle(
        self, device: str, duration: int, assignee: str | None = None, pxe_config: str | None = None
    ) -> Any:
        """Switch a device off and on; it boots from the network with a `pxe_config`, else from its own storage."""
        return self._post(f"/api/device/{device}/power-cycle/", self._who(assignee, duration, pxe_config))

    def device_power_off(self, device: str, **kwargs: Any) -> Any:
        """Switch a device off."""
        return self._get(f"/api/device/{device}/power-off/", decode_json=False, **kwargs)

    def device_ping(self, device: str, **kwargs: Any) -> Any:
        """Ping a device; give `success`."""
        return self._get(f"/api/device/{device}/ping/", **kwargs)

    def device_state_change(
        self,
        device: str,
        assignee: str | None,
        duration: int,
        old_state: str,
        new_state: str,
        pxe_config: str | None = None,
    ) -> Any:
        """Bring a device from one state to another. Raises MozpoolConflictException when it is not in the first."""
        data = self._who(assignee, duration, pxe_config)
        return self._post(f"/api/device/{device}/state-change/{old_state}/to/{new_state}/", data)

    def bmm_device_clear_pxe(self, device: str, **kwargs: Any) -> Any:
        """Let a device boot from its own storage again."""
        return self._post(f"/api/device/{device}/clear-pxe/", {})

    def bmm_pxe_config_list(self, include_active_only: bool = False, **kwargs: Any) -> Any:  # noqa: FBT002 -- old
        """Give the names of the `pxe_configs`."""
        return self._get(
            "/api/bmm/pxe_config/list/" + ("?active_only=1" if include_active_only else ""), **kwargs
        )

    def bmm_pxe_config_details(self, name: str, **kwargs: Any) -> Any:
        """Give the `details` of a boot config."""
        return self._get(f"/api/bmm/pxe_config/{name}/details/", **kwargs)

    def _who(self, assignee: str | None, duration: int, pxe_config: str | None) -> dict[str, Any]:
        data: dict[str, Any] = {"assignee": assignee or f"{self.user}-{self.hostname}", "duration": duration}
        if pxe_config is not None:
            data["pxe_config"] = pxe_config
        return data

    def _get(self, path: str, **kwargs: Any) -> Any:
        return self._get_from(self.mozpool_api_url + path, **kwargs)

    def _get_from(self, url: str, **kwargs: Any) -> Any:
        response, status = self.url_get(url, **kwargs)
        check_mozpool_status(status)
        return response

    def _post(self, path: str, data: object) -> Any:
        return self._post_to(self.mozpool_api_url + path, data)

    def _post_to(self, url: str, data: object, *, decode_json: bool = True) -> Any:
        response, status = self.url_post(url, data=json.dumps(data), decode_json=decode_json)
        check_mozpool_status(status)
        return response

    def _call(self, method: str, url: str, data: str | None, timeout: float | None) -> httpx.Response:
        """Make a call, again and again while no answer comes. Raises MozpoolException when none came at all."""
        headers = {"User-Agent": USER_AGENT, **(_JSON if data is not None else {})}
        # A request's URL may name any host: the token is for the server that we were given.
        if self._token is not None and url.startswith(f"{self.mozpool_api_url}/"):
            headers["Authorization"] = f"Bearer {self._token}"
        self.log_obj.debug(f"Request {method} {url}...")
        for attempt in range(1, _RETRIES + 2):
            try:
                with httpx.Client(**http_options([url], True, httpx.HTTPTransport)) as client:
                    response = client.request(
                        method,
                        url,
                        content=data,
                        headers=headers,
                        timeout=timeout or self.mozpool_timeout,
                    )
            except (ConfigError, ValueError) as error:
                raise MozpoolException(f"Can't get {url}: {error}!") from error
            except FAILURES as error:
                self.log_obj.info(f"Try {attempt}: Can't get {url}: {error}!")
                reason = no_answer(error)
                if reason.lasting:
                    break
            else:
                self.log_obj.debug(f"Status code: {response.status_code}")
                return response
            if attempt <= _RETRIES:
                time.sleep(_PAUSE * attempt)
        raise MozpoolException(f"Can't get {url}: {reason.reason}!")


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "user"
