"""A plug with a web server: Tasmota, Shelly of both generations, or one with URLs of its own (`plain`).

Facts: tasmota.github.io/docs/Commands, shelly-api-docs.shelly.cloud. With --password the user is `admin`.
"""

import base64
import hashlib
import json
import re
import ssl
import time
from argparse import ArgumentParser
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from simlab.power.outlets import Outlets, add_arguments, make_outlets

USER = "admin"
REALM, NONCE = "shellyplus1-a8032abe54dc", "65f1a2b3"
CHALLENGE = f'Digest qop="auth", realm="{REALM}", nonce="{NONCE}", algorithm=SHA-256'
OK, DENIED, MISSING, WRONG = 200, 401, 404, 400


@dataclass(frozen=True)
class Plug:
    """The plug's outlets and password, and how long it ponders before it answers."""

    kind: str
    outlets: Outlets
    password: str
    slow: float

    def answer(self, method: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        """The status and the body of one call."""
        how = {
            "tasmota": self._tasmota,
            "shelly": self._shelly,
            "shelly2": self._shelly2,
            "plain": self._plain,
        }
        return how[self.kind](method, path, query)

    def _tasmota(self, _: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        if path != "/cm":
            return MISSING, {"Command": "Error"}
        if self.password and (query.get("user"), query.get("password")) != (USER, self.password):
            return DENIED, {"WARNING": "Need user=<username>&password=<password>"}
        command, _, order = query.get("cmnd", "").partition(" ")
        outlet = command.removeprefix("Power")
        if outlet == command:
            return OK, {"Command": "Unknown"}
        # Of a relay that it lacks it makes its first.
        outlet = outlet if outlet in self.outlets else self.outlets.names[0]
        if order in ("ON", "OFF"):
            self.outlets.switch(outlet, order == "ON")
        name = "POWER" if len(self.outlets.names) == 1 else f"POWER{outlet}"
        return OK, {name: "ON" if self.outlets.is_on(outlet) else "OFF"}

    def _shelly(self, _: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        outlet = path.removeprefix("/relay/")
        if outlet not in self.outlets:
            return MISSING, "Not Found"
        if (turn := query.get("turn")) in ("on", "off"):
            self.outlets.switch(outlet, turn == "on")
        return OK, {
            "ison": self.outlets.is_on(outlet),
            "has_timer": False,
            "overpower": False,
            "source": "http",
        }

    def _shelly2(self, _: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        outlet = query.get("id", "")
        if outlet not in self.outlets:
            return MISSING, {"code": -105, "message": f"Argument 'id', value {outlet} not found!"}
        was = self.outlets.is_on(outlet)
        if path == "/rpc/Switch.Set" and query.get("on") in ("true", "false"):
            self.outlets.switch(outlet, query["on"] == "true")
            return OK, {"was_on": was}
        if path == "/rpc/Switch.GetStatus":
            return OK, {"id": int(outlet), "source": "HTTP_in", "output": was, "temperature": {"tC": 41.0}}
        return MISSING, {"code": 404, "message": "No handler"}

    def _plain(self, method: str, path: str, query: dict[str, str]) -> tuple[int, Any]:
        outlet, _, what = path.removeprefix("/outlet/").partition("/")
        if outlet not in self.outlets:
            return MISSING, "no such outlet"
        if what in ("on", "off") and method == "POST":
            self.outlets.switch(outlet, what == "on")
            return OK, "done"
        state = "running" if self.outlets.is_on(outlet) else "stopped"
        return (OK, f'{{"status": "{state}"}}') if method == "GET" and not what else (WRONG, "POST on or off")

    def lets_in(self, method: str, target: str, login: str) -> bool:
        """Whether HTTP authentication, where there is any, is right."""
        if not self.password or self.kind == "tasmota":
            return True
        if self.kind == "shelly2":
            return self._is_digest(method, target, login)
        return login == "Basic " + base64.b64encode(f"{USER}:{self.password}".encode()).decode()

    def _is_digest(self, method: str, target: str, login: str) -> bool:
        given = dict(re.findall(r'(\w+)="?([^",]*)', login.removeprefix("Digest ")))
        secret, called = _hash(f"{USER}:{REALM}:{self.password}"), _hash(f"{method}:{target}")
        right = _hash(f"{secret}:{NONCE}:{given.get('nc')}:{given.get('cnonce')}:auth:{called}")
        return given.get("response") == right and given.get("uri") == target


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def make_handler(plug: Plug) -> type[BaseHTTPRequestHandler]:
    """Makes the class that answers for a plug."""

    class Handler(BaseHTTPRequestHandler):
        """Answers one call."""

        def _answer(self) -> None:
            time.sleep(plug.slow)
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            parts = urlsplit(self.path)
            status, body = DENIED, "who are you?"
            if plug.lets_in(self.command, self.path, self.headers.get("Authorization", "")):
                status, body = plug.answer(self.command, parts.path, dict(parse_qsl(parts.query)))
            data = (body if isinstance(body, str) else json.dumps(body)).encode()
            self.send_response(status)
            if status == DENIED and plug.kind == "shelly2":
                self.send_header("WWW-Authenticate", CHALLENGE)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        do_GET = do_POST = _answer  # noqa: N815 - http.server's names

    return Handler


def main() -> None:
    """Reads the command line and serves until it is ended."""
    parser = ArgumentParser(prog="python -m simlab.power.web_plug", description=__doc__)
    parser.add_argument("kind", choices=("tasmota", "shelly", "shelly2", "plain"))
    parser.add_argument("--password", default="", help="of the user admin; empty: everybody may")
    parser.add_argument("--slow", type=float, default=0.0, help="seconds before it answers")
    parser.add_argument("--certificate", type=Path, help="a PEM file with key and certificate: speak https")
    add_arguments(parser, "0,1,2,3")
    arguments = parser.parse_args()
    plug = Plug(arguments.kind, make_outlets(arguments), arguments.password, arguments.slow)
    server = ThreadingHTTPServer((arguments.host, arguments.port), make_handler(plug))
    if arguments.certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(arguments.certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    print(json.dumps({"listening": f"{arguments.host}:{arguments.port}"}), flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
