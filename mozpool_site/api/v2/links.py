"""Addresses of the v2 API's things, as answers name them."""

from urllib.parse import quote

from django.conf import settings

from mozpool_site.api.v2.problems import PREFIX


def link(collection: str, key: str | int) -> str:
    """Give the address of one thing in a collection, such as `devices` and `panda-0001`."""
    return f"{settings.MOZPOOL_BASE_URL}{PREFIX}{collection}/{quote(str(key), safe='')}/"
