"""Strict readers of one setting's text each: junk raises ValueError saying what was expected.

The message never repeats the text itself, because the text may be a secret; env.py adds it where it may be shown.
"""

import ipaddress
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit

import environ

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_HOSTNAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})
# Django's own check W009 asks for 50 characters and 5 different ones; we refuse to start with less.
_KEY_LENGTH = 50
_KEY_VARIETY = 5
# HMAC-SHA256 gains nothing above 32 bytes, and loses strength below.
_SHORTEST_KEY = 32
_SCHEMES_OF_DATABASES = {"sqlite": "django.db.backends.sqlite3", "mysql": "django.db.backends.mysql"}
_SCHEMES_OF_BROKERS = frozenset({"redis", "rediss"})


def boolean(text: str) -> bool:
    """Read a yes or no."""
    word = text.lower()
    if word in _TRUE:
        return True
    if word in _FALSE:
        return False
    msg = "true or false expected"
    raise ValueError(msg)


def whole_number(least: int, most: int, unit: str) -> Callable[[str], int]:
    """Make a reader of whole numbers of `unit` from `least` to `most`, both included."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[0-9]{1,12}", text) or not least <= int(text) <= most:
            msg = f"whole {unit} from {least} to {most} expected"
            raise ValueError(msg)
        return int(text)

    return read


def one_of(*words: str) -> Callable[[str], str]:
    """Make a reader that accepts one of `words`, in any case, and gives it as listed."""

    def read(text: str) -> str:
        for word in words:
            if text.lower() == word.lower():
                return word
        msg = f"one of {', '.join(words)} expected"
        raise ValueError(msg)

    return read


def power_commands(text: str) -> dict[str, dict[str, list[str]]]:
    """Read JSON: name of a kind of switch -> `on`, `off` and perhaps `state` -> argument list, not empty."""
    msg = (
        'JSON such as {"usbrelay": {"on": ["usbrelay", "{outlet}=1"], "off": [...], "state": [...]}} expected'
    )
    try:
        found = json.loads(text or "{}")
    except (ValueError, RecursionError):
        raise ValueError(msg) from None
    if not isinstance(found, dict):
        raise ValueError(msg)  # noqa: TRY004 - one error for all junk
    for lists in found.values():
        if not isinstance(lists, dict) or not {"on", "off"} <= lists.keys() <= {"on", "off", "state"}:
            raise ValueError(msg)
        for words in lists.values():
            # A word with NUL in it could not be handed to any program.
            if not (isinstance(words, list) and words and all(_is_argument(word) for word in words)):
                raise ValueError(msg)
    return found


def _is_argument(word: object) -> bool:
    return isinstance(word, str) and bool(word) and "\0" not in word


def absolute_path(text: str) -> Path:
    """Read an absolute path; it need not exist yet."""
    path = Path(text)
    if not path.is_absolute() or "\0" in text:
        msg = "an absolute path expected"
        raise ValueError(msg)
    return path


def _listed(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def networks(text: str) -> tuple[Network, ...]:
    """Read a comma-separated list of networks in CIDR notation; host bits must be zero."""
    found: list[Network] = []
    for part in _listed(text):
        try:
            found.append(ipaddress.ip_network(part))
        except ValueError as error:
            msg = "networks such as 10.12.0.0/16 or 2001:db8::/32, separated by commas, expected"
            raise ValueError(msg) from error
    return tuple(found)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_host(text: str) -> bool:
    """Say whether `text` is a host name (RFC 1123) or an IP address without brackets."""
    return _HOSTNAME.fullmatch(text) is not None or _is_address(text)


def any_of(*words: str) -> Callable[[str], tuple[str, ...]]:
    """Make a reader that accepts a comma-separated list of some of `words`."""

    def read(text: str) -> tuple[str, ...]:
        found = tuple(part.lower() for part in _listed(text))
        if not set(found) <= set(words):
            msg = f"some of {', '.join(words)}, separated by commas, expected"
            raise ValueError(msg)
        return found

    return read


def hosts(text: str) -> tuple[str, ...]:
    """Read a comma-separated list of host names or addresses; a leading dot includes subdomains."""
    found = tuple(part.lower() for part in _listed(text))
    if not all(is_host(host.removeprefix(".").removeprefix("[").removesuffix("]")) for host in found):
        msg = "host names or addresses, separated by commas, expected"
        raise ValueError(msg)
    return found


def _web_url(text: str) -> SplitResult:
    """Split an http(s) URL without user info, query or fragment, or raise ValueError."""
    url = urlsplit(text)
    unwanted = url.username or url.password or "?" in text or "#" in text
    if url.scheme not in {"http", "https"} or not is_host(url.hostname or "") or unwanted:
        raise ValueError(text)
    if re.search(r"[\s\"'\\%<>]", text) or url.port == 0:
        raise ValueError(text)
    return url


def base_url(text: str) -> str:
    """Read an http(s) URL to which paths can be appended: no slash at its end. Devices fetch it, which speak IPv4."""
    try:
        url = _web_url(text)
    except ValueError:
        msg = "an http or https URL without user, query or fragment expected"
        raise ValueError(msg) from None
    if "[" in url.netloc:
        msg = "a URL with a host name or an IPv4 address, since devices do not speak IPv6, expected"
        raise ValueError(msg)
    if text.endswith("/"):
        msg = "a URL without a slash at its end expected"
        raise ValueError(msg)
    return text


def origins(text: str) -> tuple[str, ...]:
    """Read a comma-separated list of web origins: scheme, host and perhaps port, nothing else."""
    found = _listed(text)
    for part in found:
        try:
            path = _web_url(part).path
        except ValueError:
            path = "junk"
        if path:
            msg = "origins such as https://ci.example.com, separated by commas, expected"
            raise ValueError(msg)
    return tuple(part.lower() for part in found)


def secret_key(text: str) -> str:
    """Read Django's secret key, which must be long and not from a tutorial."""
    if len(text) < _KEY_LENGTH or len(set(text)) < _KEY_VARIETY or text.startswith("django-insecure-"):
        msg = f"at least {_KEY_LENGTH} random characters expected (openssl rand -hex 40 makes some)"
        raise ValueError(msg)
    return text


def keys(text: str) -> tuple[bytes, ...]:
    """Read comma-separated keys; the first signs or encrypts, all are accepted."""
    found = tuple(part.encode() for part in _listed(text))
    if not found or min(len(key) for key in found) < _SHORTEST_KEY:
        msg = f"keys of at least {_SHORTEST_KEY} characters, separated by commas, expected"
        raise ValueError(msg)
    return found


def database(text: str) -> dict[str, Any]:
    """Read a database URL into Django's dictionary; what MySQL and SQLite need is added by settings.py."""
    expected = "sqlite:////absolute/path or mysql://user:password@host:port/name expected"
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError(expected) from None
    engine = _SCHEMES_OF_DATABASES.get(url.scheme)
    if engine is None or port == 0 or (url.scheme == "sqlite" and (url.netloc or not url.path)):
        raise ValueError(expected)
    config: dict[str, Any] = environ.Env.db_url_config(text)
    if url.scheme == "sqlite":
        # A relative path would mean another database in every folder that a command is started from.
        complete = Path(config["NAME"]).is_absolute()
    else:
        complete = bool(config["NAME"]) and bool(config["HOST"] or url.query)
    if not complete:
        raise ValueError(expected)
    return config


def broker_url(text: str) -> str:
    """Read the URL of Redis: TCP, TLS, or a unix socket (`redis+socket:///path`)."""
    expected = "redis://host:port/number, rediss://... or redis+socket:///absolute/path expected"
    try:
        url = urlsplit(text)
        port = url.port
    except ValueError:
        raise ValueError(expected) from None
    if url.scheme == "redis+socket":
        if url.netloc or not url.path.startswith("/") or url.path == "/":
            raise ValueError(expected)
        return text
    if (
        url.scheme not in _SCHEMES_OF_BROKERS
        or not url.hostname
        or port == 0
        or not re.fullmatch(r"/?[0-9]*", url.path)
    ):
        raise ValueError(expected)
    return text
