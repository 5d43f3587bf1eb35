"""Signs what is sent as Standard Webhooks 1.0.0 says (standardwebhooks.com), which has libraries that verify it."""

import base64
import hashlib
import hmac

from requests_app.webhooks.targets import secret_key


def headers(
    message_id: str, event: str, body: bytes, secret: str, seconds: int
) -> dict[bytes | str, bytes | str]:
    """Give the headers of a try made at `seconds` (Unix time); without a secret there is no signature."""
    told: dict[bytes | str, bytes | str] = {
        "content-type": "application/json",
        "user-agent": "Mozpool",
        "mozpool-event": event,
        "webhook-id": message_id,
        "webhook-timestamp": str(seconds),
    }
    if secret:
        told["webhook-signature"] = f"v1,{_signature(message_id, body, secret, seconds)}"
    return told


def _signature(message_id: str, body: bytes, secret: str, seconds: int) -> str:
    content = f"{message_id}.{seconds}.".encode() + body
    return base64.b64encode(hmac.new(secret_key(secret), content, hashlib.sha256).digest()).decode()
