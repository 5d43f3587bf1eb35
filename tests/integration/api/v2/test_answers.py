"""What is answered is what the published schema says, to the last type."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from django.test import Client
from jsonschema import Draft202012Validator
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from devices.models import Device, Journal, Rack
from tests.integration.api.pool import person
from tests.integration.api.v2.calls import get, send

SCHEMA: dict[str, Any] = yaml.safe_load((Path(__file__).parents[4] / "docs" / "openapi.yaml").read_text())
REGISTRY: Registry[Any] = Registry().with_resource("urn:mozpool", DRAFT202012.create_resource(SCHEMA))


def faults(path: str, method: str, answer: Any) -> list[str]:
    """Say where an answer differs from what the schema has for it."""
    responses = SCHEMA["paths"][f"/api/v2/{path}"][method]["responses"]
    content = responses[str(answer.status_code)].get("content", {})
    if not content:
        return [] if answer.content == b"" else ["a body where none was promised"]
    kind, media = next(iter(content.items()))
    assert answer["Content-Type"] == kind
    # References are meant within the whole document.
    schema = {"$ref": "urn:mozpool#" + pointer(path, method, answer.status_code, kind)}
    assert media["schema"]
    validator = Draft202012Validator(
        schema, registry=REGISTRY, format_checker=Draft202012Validator.FORMAT_CHECKER
    )
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer.json())]


def pointer(path: str, method: str, status: int, kind: str) -> str:
    parts = ("paths", f"/api/v2/{path}", method, "responses", str(status), "content", kind, "schema")
    return "".join(
        "/" + part.replace("~", "~0").replace("/", "~1").replace("{", "%7B").replace("}", "%7D")
        for part in parts
    )


@pytest.mark.parametrize(
    ("path", "parts"),
    [
        ("", {}),
        ("devices/", {}),
        ("devices/{name}/", {"name": "device1"}),
        ("devices/{name}/", {"name": "nobody"}),
        ("devices/{name}/journal/", {"name": "device1"}),
        ("racks/", {}),
        ("racks/{name}/", {"name": "here"}),
        ("hardware-types/", {}),
        ("images/", {}),
        ("images/{name}/", {"name": "b2g"}),
        ("boot-configs/", {}),
        ("boot-configs/{name}/", {"name": "fake-b2g"}),
        ("power-controllers/", {}),
        ("power-controllers/{name}/", {"name": "relay-1"}),
        ("environments/", {}),
        ("environments/{name}/", {"name": "even"}),
        ("operations/", {}),
        ("journal/", {}),
        ("problems/{code}/", {"code": "invalid"}),
        ("requests/", {}),
        ("whoami/", {}),
    ],
)
def test_what_is_read_is_as_described(operator: Client, path: str, parts: dict[str, str]) -> None:
    device = Device.objects.get(name="device1")
    device.boot_config, device.comments, device.tags = '{"b2gbase": "http://x"}', "x", ["a"]
    device.save()
    Journal.objects.create(device_id=1, message="x")
    # The old system took a port there.
    Rack.objects.filter(name="there").update(imaging_server="other.server")
    send(operator, "POST", "devices/device2/ping/")
    assert faults(path, "get", get(operator, path.format(**parts))) == []


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("devices/{name}/ping/", {}, 202),
        ("devices/{name}/power-cycle/", {"netboot": "fake-b2g"}, 202),
        ("devices/{name}/please/image/", {"image": "b2g", "boot_config": {"b2gbase": "http://x/1"}}, 202),
        ("devices/{name}/please/self-test/", {}, 202),
        ("devices/{name}/state/", {"from": "ready", "to": "troubleshooting", "reason": "x"}, 200),
        ("devices/{name}/state/", {"from": "new", "to": "troubleshooting", "reason": "x"}, 409),
        ("devices/{name}/state/", {"from": "ready"}, 400),
        ("devices/{name}/clear-netboot/", {}, 200),
    ],
)
def test_what_is_done_is_answered_as_described(
    operator: Client, path: str, body: object, status: int
) -> None:
    answer = send(operator, "POST", path.format(name="device1"), body)
    assert answer.status_code == status
    assert faults(path, "post", answer) == []


def test_what_is_written_is_answered_as_described() -> None:
    ada = person("ada", "admin")
    body = {"name": "p9", "imaging_server": "p9.example", "address": "10.0.9.1"}
    assert faults("racks/", "post", send(ada, "POST", "racks/", body)) == []
    assert faults("racks/", "post", send(ada, "POST", "racks/", body)) == []
    assert faults("racks/{name}/", "patch", send(ada, "PATCH", "racks/p9/", {"vlan_note": "x"})) == []
    assert faults("racks/{name}/", "delete", send(ada, "DELETE", "racks/p9/")) == []
    assert faults("devices/{name}/", "delete", send(ada, "DELETE", "devices/device1/", if_match='"x"')) == []
