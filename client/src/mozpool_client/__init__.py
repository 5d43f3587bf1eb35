"""Ask a Mozpool for devices: `Mozpool` for programs that wait, `AsyncMozpool` for asyncio."""

from mozpool_client.aio import AsyncMozpool
from mozpool_client.errors import (
    BadAnswer,
    ConfigError,
    Conflict,
    Impossible,
    Invalid,
    MozpoolError,
    NotAllowed,
    NotAuthenticated,
    NotFound,
    NotReadyInTime,
    RequestEnded,
    TooMany,
    Unavailable,
)
from mozpool_client.holding import Hold
from mozpool_client.models import (
    Device,
    HeldDevice,
    Identity,
    Image,
    JournalLine,
    Login,
    Operation,
    Request,
    Waiting,
)
from mozpool_client.plans import Order
from mozpool_client.sync import Mozpool

__all__ = [
    "AsyncMozpool",
    "BadAnswer",
    "ConfigError",
    "Conflict",
    "Device",
    "HeldDevice",
    "Hold",
    "Identity",
    "Image",
    "Impossible",
    "Invalid",
    "JournalLine",
    "Login",
    "Mozpool",
    "MozpoolError",
    "NotAllowed",
    "NotAuthenticated",
    "NotFound",
    "NotReadyInTime",
    "Operation",
    "Order",
    "Request",
    "RequestEnded",
    "TooMany",
    "Unavailable",
    "Waiting",
]
