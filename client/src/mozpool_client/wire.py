"""The vocabulary between what decides (the plans) and what does (one synchronous, one asynchronous transport).

A plan is a generator: it yields what is to be done, is sent the outcome, and returns its result. So retries,
paging and waiting are written once.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, Union

T = TypeVar("T")


@dataclass(frozen=True)
class Send:
    """Make one HTTP call, or with `stream` begin one; the outcome is an Answer or NoAnswer. Seconds for `timeout`."""

    method: str
    url: str
    headers: Mapping[str, str]
    params: Mapping[str, str]
    body: bytes | None
    timeout: float
    stream: bool = False


@dataclass(frozen=True)
class Answer:
    """A complete answer; the body of a stream that went well is empty, its lines come one by one."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True)
class NoAnswer:
    """No answer came. `sent` is False when the call has certainly not reached the server.

    `lasting`: it would be the same again, such as a certificate that is not trusted.
    """

    reason: str
    sent: bool
    lasting: bool = False


@dataclass(frozen=True)
class Sleep:
    """Let some seconds pass."""

    seconds: float


@dataclass(frozen=True)
class NextLine:
    """Give the next line of the stream that was begun last: a text, None at its end, or NoAnswer when it broke."""


@dataclass(frozen=True)
class Emit(Generic[T]):
    """Hand a value to whoever follows the flow."""

    value: T


Plan = Generator[Union[Send, Sleep], Any, T]
Flow = Generator[Union[Send, Sleep, NextLine, Emit[T]], Any, None]
