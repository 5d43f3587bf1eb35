"""The servers of a pool: any of them answers any call, so they are tried until one does."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit

from mozpool_client.errors import ConfigError, Unavailable
from mozpool_client.wire import Answer, NoAnswer, Plan, Send, Sleep

# Seconds before the second round over all servers; doubled for each further one, up to the other.
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 15.0
_TOO_MANY, _BAD_GATEWAY, _AWAY, _GATEWAY_TIMEOUT = 429, 502, 503, 504
# Those before us did not pass the call on, or lost its answer.
_LOST = frozenset({_BAD_GATEWAY, _GATEWAY_TIMEOUT})


@dataclass(frozen=True)
class Call:
    """One logical call, whichever server gets it. `repeatable`: doing it twice is as good as once."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes | None
    repeatable: bool
    timeout: float
    stream: bool = False


class Servers:
    """The servers in a random order, the one that answered last first; `token` is for all, or one for each server.

    Raises ConfigError for a URL that can't be a server's, and for a token that can't be sent.
    """

    def __init__(
        self, urls: Iterable[str], token: str | Mapping[str, str] | None, user_agent: str, patience: float
    ) -> None:
        self.urls = [clean_url(url) for url in urls]
        if not self.urls:
            raise ConfigError(
                "no server is known: give --server, set MOZPOOL_SERVERS, or name servers in the configuration"
            )
        random.shuffle(self.urls)
        self.patience = patience
        self._user_agent = user_agent
        self._tokens = (
            dict.fromkeys(self.urls, token) if token is None or isinstance(token, str) else dict(token)
        )
        if not all(_can_be_sent(known) for known in self._tokens.values() if known):
            # Not repeated here: it may be somebody's good token with a stray character.
            raise ConfigError(
                "the token can't be sent: it should be printable ASCII without blanks; log in again"
            )

    def exchange(self, call: Call, patience: float | None = None) -> Plan[Answer]:
        """Make a call at one server after the other, round after round, until one answers or patience runs out.

        Gives every answer but 429, 502, 503 and 504; the last 429 too. Raises Unavailable.
        """
        ends = time.monotonic() + (self.patience if patience is None else patience)
        reasons: dict[str, str] = {}
        pause = FIRST_PAUSE
        while True:
            told = 0.0
            lasting = True
            for url in self.urls:
                outcome: Answer | NoAnswer = yield self._send(call, url)
                if isinstance(outcome, Answer) and outcome.status not in {_TOO_MANY, _AWAY, *_LOST}:
                    self._prefer(url)
                    return outcome
                reasons[url] = _reason(outcome)
                if not _may_repeat(call, outcome):
                    raise Unavailable(
                        "the call may have been carried out although its answer is lost; look before you repeat it",
                        servers=reasons,
                    )
                told = max(told, _retry_after(outcome))
                lasting = lasting and isinstance(outcome, NoAnswer) and outcome.lasting
                if isinstance(outcome, Answer) and outcome.status == _TOO_MANY:
                    # The others share the same count.
                    break
            # Full jitter, or all clients of a server that comes back would call at the same moments.
            wait = max(told, random.uniform(pause / 2, pause))  # noqa: S311 -- no secret
            if lasting or time.monotonic() + wait > ends:
                if isinstance(outcome, Answer) and outcome.status == _TOO_MANY:
                    return outcome
                raise Unavailable("no server could answer", servers=reasons)
            yield Sleep(wait)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _send(self, call: Call, url: str) -> Send:
        headers = {"Accept": "application/json", "User-Agent": self._user_agent, **call.headers}
        token = self._tokens.get(url)
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return Send(
            call.method, url + call.path, headers, call.params, call.body, call.timeout, stream=call.stream
        )

    def _prefer(self, url: str) -> None:
        # A new list: another thread may be going through the old one.
        self.urls = [url, *(known for known in self.urls if known != url)]


def clean_url(url: str) -> str:
    """Give a server's URL as it is stored: http or https, a host, perhaps a path, no slash at its end.

    Raises ConfigError.
    """
    url = url.strip().rstrip("/")
    if not url.startswith(("http://", "https://")) or not names_host(url) or set("@?#") & set(url):
        raise ConfigError(f"{url!r} is no server; write https://mozpool.example.com")
    return url


def names_host(url: str) -> bool:
    """Whether a URL names a host that can be asked for, and a port if any."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        # No lookup can ask for a name with an empty part, or one of more than 63 characters.
        host.encode("idna")
        return bool(host) and parts.port != 0 and not any(char.isspace() for char in url)
    except ValueError:
        return False


def _can_be_sent(token: str) -> bool:
    return token.isascii() and token.isprintable() and " " not in token


def _may_repeat(call: Call, outcome: Answer | NoAnswer) -> bool:
    if call.repeatable:
        return True
    return not outcome.sent if isinstance(outcome, NoAnswer) else outcome.status not in _LOST


def _reason(outcome: Answer | NoAnswer) -> str:
    return outcome.reason if isinstance(outcome, NoAnswer) else f"answered {outcome.status}"


def _retry_after(outcome: Answer | NoAnswer) -> float:
    return (retry_after(outcome) or 0.0) if isinstance(outcome, Answer) else 0.0


def retry_after(answer: Answer) -> float | None:
    """Give the seconds that Retry-After tells, as a number or as a date; None where it tells nothing."""
    told = answer.headers.get("retry-after", "").strip()
    if told.isascii() and told.isdigit():
        return float(told)
    try:
        return max(0.0, parsedate_to_datetime(told).timestamp() - time.time()) if told else None
    except (ValueError, TypeError):
        return None
