"""Calls of the v2 API as programs make them: JSON both ways, and problems read as they come."""

import json
from typing import Any

from django.test import Client

BASE = "/api/v2/"


def get(client: Client, path: str, **headers: str) -> Any:
    """Get a path below /api/v2/."""
    return client.get(BASE + path, headers=headers)


def send(client: Client, method: str, path: str, body: object = None, **headers: str) -> Any:
    """Send JSON; nothing at all for None."""
    return client.generic(
        method,
        BASE + path,
        b"" if body is None else json.dumps(body).encode(),
        content_type="application/json",
        headers=headers,
    )


def problem(response: Any, status: int, code: str, field: str | None = None) -> str:
    """Assert that an answer is this problem, told whole; give its detail."""
    body = response.json()
    assert response["Content-Type"] == "application/problem+json"
    told = (response.status_code, body["status"], body["code"], body.get("field"))
    assert told == (status, status, code, field), body
    assert body["type"] == f"/api/v2/problems/{code}"
    assert body["title"]
    return str(body["detail"])


def names(response: Any) -> list[str]:
    """Name what is on a page."""
    assert response.status_code == 200, response.content
    return [row["name"] for row in response.json()["results"]]
