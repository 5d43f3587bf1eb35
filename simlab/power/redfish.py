"""A service processor that speaks Redfish: systems that can be switched, with what DMTF's DSP0266 demands of it.

The user is `admin`; its password is asked for but at the root. With `--sessions-only` it takes no basic authentication.
"""

import base64
import json
import secrets
from argparse import ArgumentParser
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from simlab.power.outlets import Outlets, add_arguments, make_outlets

ROOT = "/redfish/v1"
SYSTEMS = f"{ROOT}/Systems"
SESSIONS = f"{ROOT}/SessionService/Sessions"
RESETS = {"On": True, "ForceOn": True, "ForceOff": False, "GracefulShutdown": False}
OK, CREATED, DONE, WRONG, DENIED, MISSING, CONFLICT = 200, 201, 204, 400, 401, 404, 409


@dataclass(frozen=True)
class Service:
    """The systems, the password, the kinds of reset that it can do, and the sessions: their tokens by path."""

    systems: Outlets
    password: str
    resets: tuple[str, ...]
    sessions_only: bool = False
    sessions: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> tuple[int, Any]:
        """The status and the body of a GET."""
        if path == ROOT:
            return OK, {
                "@odata.id": f"{ROOT}/", "@odata.type": "#ServiceRoot.v1_5_0.ServiceRoot", "Id": "RootService",
                "Name": "Root Service", "RedfishVersion": "1.6.0", "Systems": {"@odata.id": SYSTEMS},
                "Links": {"Sessions": {"@odata.id": SESSIONS}},
            }  # fmt: skip
        if path == SYSTEMS:
            members = [{"@odata.id": f"{SYSTEMS}/{name}"} for name in self.systems.names]
            return OK, {
                "@odata.id": SYSTEMS, "@odata.type": "#ComputerSystemCollection.ComputerSystemCollection",
                "Name": "Systems", "Members@odata.count": len(members), "Members": members,
            }  # fmt: skip
        name = path.removeprefix(f"{SYSTEMS}/")
        return (OK, self._system(name)) if name in self.systems else failure(MISSING, "no such resource")

    def post(self, path: str, asked: Any) -> tuple[int, Any]:
        """The status and the body of a POST."""
        name, _, action = path.removeprefix(f"{SYSTEMS}/").partition("/")
        if name not in self.systems or action != "Actions/ComputerSystem.Reset":
            return failure(MISSING, "no such action")
        kind = asked.get("ResetType") if isinstance(asked, dict) else None
        if kind not in self.resets:
            return failure(WRONG, f"ResetType {kind} is not supported")
        if self.systems.is_on(name) == RESETS[kind]:
            return failure(CONFLICT, "the system is in that state already")
        self.systems.switch(name, RESETS[kind])
        return DONE, None

    def begin_session(self, asked: Any) -> tuple[int, Any, dict[str, str]]:
        """The status, the body and the headers of a POST that asks for a session."""
        if not isinstance(asked, dict) or (asked.get("UserName"), asked.get("Password")) != (
            "admin",
            self.password,
        ):
            return *failure(DENIED, "who are you?"), {}
        path, token = f"{SESSIONS}/{len(self.sessions) + 1}", secrets.token_hex(16)
        self.sessions[path] = token
        print(json.dumps({"session": "begun"}), flush=True)
        return CREATED, {"@odata.id": path, "Id": path[-1]}, {"X-Auth-Token": token, "Location": path}

    def delete(self, path: str) -> tuple[int, Any]:
        """The status and the body of a DELETE."""
        if self.sessions.pop(path, None) is None:
            return failure(MISSING, "no such session")
        print(json.dumps({"session": "ended"}), flush=True)
        return DONE, None

    def lets_in(self, path: str, headers: Mapping[str, str]) -> bool:
        """Whether the call's session or basic authentication is right, or not wanted."""
        wanted = base64.b64encode(f"admin:{self.password}".encode()).decode()
        basic = headers.get("Authorization") == f"Basic {wanted}" and not self.sessions_only
        return path == ROOT or basic or headers.get("X-Auth-Token") in self.sessions.values()

    def _system(self, name: str) -> dict[str, Any]:
        return {
            "@odata.id": f"{SYSTEMS}/{name}", "@odata.type": "#ComputerSystem.v1_8_0.ComputerSystem",
            "Id": name, "Name": f"system {name}", "PowerState": "On" if self.systems.is_on(name) else "Off",
            "Actions": {
                "#ComputerSystem.Reset": {
                    "target": f"{SYSTEMS}/{name}/Actions/ComputerSystem.Reset",
                    "ResetType@Redfish.AllowableValues": list(self.resets),
                }
            },
        }  # fmt: skip


def failure(status: int, words: str) -> tuple[int, Any]:
    """An answer that says no, in Redfish's form."""
    return status, {"error": {"code": "Base.1.0.GeneralError", "message": words}}


def make_handler(service: Service) -> type[BaseHTTPRequestHandler]:
    """Makes the class that answers for a service."""

    class Handler(BaseHTTPRequestHandler):
        """Answers one call."""

        def _answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, body, headers = self._told(self.path.rstrip("/"), data)
            text = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("OData-Version", "4.0")
            self.send_header("Content-Length", str(len(text)))
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(text)

        def _told(self, path: str, data: bytes) -> tuple[int, Any, dict[str, str]]:
            try:
                asked = json.loads(data or b"{}")
            except ValueError:
                return *failure(WRONG, "JSON, please"), {}
            if self.command == "POST" and path == SESSIONS:
                return service.begin_session(asked)
            if not service.lets_in(path, dict(self.headers)):
                return *failure(DENIED, "who are you?"), {}
            if self.command == "POST":
                return *service.post(path, asked), {}
            return *(service.delete(path) if self.command == "DELETE" else service.get(path)), {}

        do_GET = do_POST = do_DELETE = _answer  # noqa: N815 - http.server's names

    return Handler


def main() -> None:
    """Reads the command line and serves until it is ended."""
    parser = ArgumentParser(prog="python -m simlab.power.redfish", description=__doc__)
    parser.add_argument("--password", default="sesame", help="of the user admin (default: sesame)")
    parser.add_argument("--resets", default="On,ForceOff,GracefulShutdown", help="kinds, with commas between")
    parser.add_argument("--sessions-only", action="store_true", help="take no basic authentication")
    add_arguments(parser, "1,2")
    arguments = parser.parse_args()
    service = Service(
        make_outlets(arguments),
        arguments.password,
        tuple(arguments.resets.split(",")),
        arguments.sessions_only,
    )
    server = ThreadingHTTPServer((arguments.host, arguments.port), make_handler(service))
    print(json.dumps({"listening": f"{arguments.host}:{arguments.port}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
