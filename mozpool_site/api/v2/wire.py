"""JSON on the wire: one encoder for every answer of the v2 API, and the reader of bodies that the legacy API has."""

from collections.abc import Mapping
from typing import Any

import orjson
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from mozpool_site.api import bodies

CONTENT_TYPE = "application/json"


def encode(data: object) -> bytes:
    """Write JSON in UTF-8; times are ISO 8601 in UTC with a Z. What orjson does not know is written as its text."""
    return orjson.dumps(data, default=str, option=orjson.OPT_UTC_Z)


class JSONRenderer(BaseRenderer):
    """Writes what a view gives as a DRF Response."""

    media_type = CONTENT_TYPE
    format = "json"
    charset = None

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        """Give the bytes; nothing for an answer without a body."""
        return b"" if data is None else encode(data)


class JSONParser(BaseParser):
    """Reads bodies as bodies.py does: within limits, an object at the top."""

    media_type = CONTENT_TYPE

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> bodies.Body:
        """Give the object. Raises InvalidInputError, TooLargeError."""
        request: Request = (parser_context or {})["request"]
        return bodies.read(request._request)  # noqa: SLF001 - DRF hides the one that knows the limits


class AlwaysJSON(BaseContentNegotiation):
    """Gives JSON whatever the Accept header says: there is nothing else to choose."""

    def select_parser(self, request: Request, parsers: Any) -> Any:
        """Give the parser of the body's content type; None (415) where there is none."""
        content_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(self, request: Request, renderers: Any, format_suffix: str | None = None) -> Any:
        """Give the first renderer."""
        return renderers[0], renderers[0].media_type
