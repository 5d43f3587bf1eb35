"""Why an inventory's answer can't be used; nothing has been changed then."""

from typing import ClassVar

from mozpool_site.errors import MozpoolError


class NoAnswerError(MozpoolError):
    """The source was silent, broke off, or sent what is no whole list of devices: mend the source, run it again."""

    code: ClassVar[str] = "no_inventory"
    http_status: ClassVar[int] = 502
    exit_status: ClassVar[int] = 1


class RefusedError(MozpoolError):
    """What the source says is too much, or not what was looked at: look at the plan, then say that it is meant."""

    code: ClassVar[str] = "inventory_refused"
    http_status: ClassVar[int] = 409
    exit_status: ClassVar[int] = 1
