"""A service processor that speaks Redfish: systems that can be switched, with what DMTF's DSP0266 demands of it.

The user is `admin`; its password is asked for but at the root.
"""

import base64
import json
from argparse import ArgumentParser
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from simlab.power.outlets import Outlets, add_arguments, make_outlets

ROOT = "/redfish/v1"
SYSTEMS = f"{ROOT}/Systems"
RESETS = {"On": True, "ForceOn": True, "ForceOff": False, "GracefulShutdown": False}
OK, DONE, WRONG, DENIED, MISSING, CONFLICT = 200, 204, 400, 401, 404, 409


@dataclass(frozen=True)
class Service:
    """The systems, the password, and the kinds of reset that it can do."""

    systems: Outlets
    password: str
    resets: tuple[str, ...]

    def get(self, path: str) -> tuple[int, Any]:
        """The status and the body of a GET."""
        if path == ROOT:
            return OK, {
                "@odata.id": f"{ROOT}/", "@odata.type": "#ServiceRoot.v1_5_0.ServiceRoot", "Id": "RootService",
                "Name": "Root Service", "RedfishVersion": "1.6.0", "Systems": {"@odata.id": SYSTEMS},
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

    def lets_in(self, path: str, login: str) -> bool:
        """Whether the call's basic authentication is right, or not wanted."""
        wanted = base64.b64encode(f"admin:{self.password}".encode()).decode()
        return path == ROOT or login == f"Basic {wanted}"

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
            path = self.path.rstrip("/")
            status, body = failure(DENIED, "who are you?")
            if service.lets_in(path, self.headers.get("Authorization", "")):
                status, body = service.get(path) if self.command == "GET" else self._posted(path, data)
            text = b"" if body is None else json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("OData-Version", "4.0")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def _posted(self, path: str, data: bytes) -> tuple[int, Any]:
            try:
                return service.post(path, json.loads(data))
            except ValueError:
                return failure(WRONG, "JSON, please")

        do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    return Handler


def main() -> None:
    """Reads the command line and serves until it is ended."""
    parser = ArgumentParser(prog="python -m simlab.power.redfish", description=__doc__)
    parser.add_argument("--password", default="sesame", help="of the user admin (default: sesame)")
    parser.add_argument("--resets", default="On,ForceOff,GracefulShutdown", help="kinds, with commas between")
    add_arguments(parser, "1,2")
    arguments = parser.parse_args()
    service = Service(make_outlets(arguments), arguments.password, tuple(arguments.resets.split(",")))
    server = ThreadingHTTPServer((arguments.host, arguments.port), make_handler(service))
    print(json.dumps({"listening": f"{arguments.host}:{arguments.port}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
