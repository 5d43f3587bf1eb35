"""What the environment says of the way to a server: by which proxy, and whose certificates are believed.

What is of no use for the servers that are asked is passed over; what is, and can't be used, is a ConfigError.
"""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import os
import ssl
import sys
import urllib.request
from collections.abc import Iterable
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Any, Callable
from urllib.parse import urlsplit

import httpx

from mozpool_client.errors import ConfigError
from mozpool_client.servers import names_host

# What proxies are called, and what they are called here: whichever it is, the proxy looks up the server's name.
_PROXIES = {"http": "http", "https": "https", "socks5": "socks5", "socks5h": "socks5", "socks": "socks5"}


def http_options(urls: Iterable[str], verify: Any, transport: Callable[..., Any]) -> dict[str, Any]:
    """Return what an httpx client is made with, whose proxies are reached by `transport`. Raise ConfigError."""
    servers = list(urls)
    proxies = {url: proxy for url in servers if (proxy := _proxy_for(url)) is not None}
    if verify is True:
        verify = trusted() if any(url.startswith("https:") for url in servers) else _nobody()
    return {
        "verify": verify,
        "mounts": {_origin(url): transport(verify=verify, proxy=proxy) for url, proxy in proxies.items()},
        # All of it is read here.
        "trust_env": False,
        "follow_redirects": False,
    }


@functools.lru_cache(maxsize=1)
def trusted() -> ssl.SSLContext:
    """Return what certificates are checked against; read once, for it takes longer than a call. Raise ConfigError.

    It is the system's store, to which an organization adds its own authority.
    """
    context = _system_store()
    file, folders = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        try:
            context.load_verify_locations(cafile=file)
        except OSError as error:
            raise ConfigError(f"SSL_CERT_FILE: {file!r} can't be used: {error.strerror or error}") from None
    if folders and not any(Path(folder).is_dir() for folder in folders.split(os.pathsep)):
        raise ConfigError(f"SSL_CERT_DIR: {folders!r} is no folder")
    return context


def _system_store() -> ssl.SSLContext:
    if sys.version_info < (3, 10):
        return ssl.create_default_context()
    import truststore  # noqa: PLC0415 -- it takes a while, and nothing where no server is asked by https

    return truststore.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@functools.lru_cache(maxsize=1)
def _nobody() -> ssl.SSLContext:
    """Return what believes no certificate: where there are none to check, none are read."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def _proxy_for(url: str) -> httpx.Proxy | None:
    """Return the proxy by which a server is asked; None where it is asked directly. Raise ConfigError."""
    parts = urlsplit(url)
    told = urllib.request.getproxies()
    kind = parts.scheme if told.get(parts.scheme) else "all"
    written = told.get(kind, "").strip()
    if not written or _is_excepted(parts.netloc, parts.hostname or "", told.get("no", "")):
        return None
    return _proxy(written if "://" in written else f"http://{written}", f"{kind}_proxy".upper())


def _proxy(written: str, variable: str) -> httpx.Proxy:
    """Read a proxy. Its URL is not repeated in an error: it may hold a password."""
    scheme, _, rest = written.partition("://")
    known = _PROXIES.get(scheme.lower())
    if known is None:
        raise ConfigError(
            f"{variable}: proxies of the kind {scheme!r} can't be used, but {', '.join(_PROXIES)}"
        )
    if known == "socks5" and importlib.util.find_spec("socksio") is None:
        raise ConfigError(
            f"{variable}: a SOCKS proxy needs a package more: pip install 'mozpool-client[socks]'"
        )
    if names_host(written):
        with contextlib.suppress(httpx.InvalidURL):
            return httpx.Proxy(f"{known}://{rest}", ssl_context=trusted() if known == "https" else None)
    raise ConfigError(f"{variable} is no proxy; write http://proxy.example.com:3128")


def _is_excepted(netloc: str, host: str, exceptions: str) -> bool:
    """Whether a server is asked without a proxy: by NO_PROXY, or by what the system has set."""
    return any(_covers(entry.strip(), host) for entry in exceptions.split(",")) or bool(
        urllib.request.proxy_bypass(netloc)
    )


def _covers(entry: str, host: str) -> bool:
    """Whether an entry of NO_PROXY means a host in a way that urllib does not know."""
    if entry.startswith("*"):
        return host.endswith(entry[1:].lower())
    try:
        return ip_address(host) in ip_network(entry.strip("[]"), strict=False)
    except ValueError:
        return False


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"
