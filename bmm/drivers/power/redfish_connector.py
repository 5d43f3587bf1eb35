"""The HTTP side of Redfish: an answer of bounded length, and no call to any other host, wherever a service sends us."""

import io
from typing import Any
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from sushy import connector

# A system with all that vendors add is some 50 kB.
_LONGEST_ANSWER = 1_000_000
_PIECE = 65536


class BoundedConnector(connector.Connector):  # type: ignore[misc]  # sushy has no types
    """Sushy's connector over the adapter below."""

    def __init__(self, url: str, **more: Any) -> None:
        """Take what the library's takes."""
        super().__init__(url, **more)
        for scheme in ("http://", "https://"):
            self._session.mount(scheme, _Adapter(urlsplit(url).netloc))
        # Proxies and passwords of the environment are for other servers.
        self._session.trust_env = False


class _Adapter(HTTPAdapter):
    def __init__(self, peer: str) -> None:
        super().__init__()
        self._peer = peer

    def send(self, request: requests.PreparedRequest, *words: Any, **more: Any) -> requests.Response:
        """Send one request; each redirect is one of its own."""
        if urlsplit(request.url or "").netloc != self._peer:
            raise requests.exceptions.InvalidURL(f"{self._peer} sends us to {request.url!r:.80}")
        response = super().send(request, *words, **more)
        heard = bytearray()
        try:
            while piece := response.raw.read(_PIECE, decode_content=True):
                heard += piece
                if len(heard) > _LONGEST_ANSWER:
                    raise requests.exceptions.ContentDecodingError(
                        f"{self._peer} answered more than {_LONGEST_ANSWER} bytes"
                    )
        finally:
            response.raw.close()
        response.raw = io.BytesIO(heard)
        return response
