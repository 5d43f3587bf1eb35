"""What can go wrong with hardware, named by what the reader should do about it.

Each class carries a `code` that never changes (it is stored, counted and shown) and an `advice` for people.
The message says which thing it was and what it did. Every class is built from that one message.
"""

from typing import ClassVar


class HardwareError(Exception):
    """Something that was asked of the hardware did not happen, or cannot be shown to have happened."""

    code: ClassVar[str] = "hardware_error"
    advice: ClassVar[str] = "Look at the hardware and at the message."
    # Whether the same call may well work in a minute without anybody's help.
    retry: ClassVar[bool] = False


class Unreachable(HardwareError):
    """Nobody answered: no connection, a lost connection, a name that does not resolve."""

    code = "unreachable"
    advice = "Try again; if it stays so, check power and network of what is named here."
    retry = True


class OutOfTime(Unreachable):
    """The deadline passed before the answer came."""

    code = "out_of_time"
    advice = "Try again; if it stays so, what is named here hangs or is overloaded."


class Garbled(Unreachable):
    """There was an answer, but it makes no sense in the protocol."""

    code = "garbled"
    advice = "Try again; if it stays so, something else listens at this address or the hardware is failing."


class Refused(HardwareError):
    """The hardware answered and did not do it, or reading back shows that it did not happen."""

    code = "refused"
    advice = "Replace or repair the part that is named here; trying again rarely helps."


class Misconfigured(HardwareError):
    """The configuration asks for what cannot be: never retried, because only a person can change it."""

    code = "misconfigured"
    advice = "Correct the configuration that is named here."
