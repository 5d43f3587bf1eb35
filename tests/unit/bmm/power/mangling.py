"""A peer between a driver and what it speaks to, which spoils answers: the same chance spoils them in the same way."""

import contextlib
import json
import random
import re
import selectors
import socket
import threading
from collections.abc import Callable
from typing import Any

_JSON = re.compile(rb"(.*?)(\{.*\})(\s*)", re.DOTALL)
_LENGTH = re.compile(rb"(?i)content-length: *(\d+)")
_PIECE = 65536
# What a driver may let a peer say: its own limit, and what the two sockets hold.
ENDLESS = 64 * 1024 * 1024
_VALUES: tuple[Any, ...] = (
    None, True, False, 0, 1, -1, 17, 10**400, 0.5, "", "on", "ON", "true", "\x00", "\ud800", "é" * 99, [], [[]], {},
    {"": None}, {"@odata.id": "/"}, {"@odata.id": 5}, [None] * 9, "http://elsewhere.example/", "../../..",
)  # fmt: skip
_BODIES = (
    b"", b"null", b"[]", b"[[[]]]", b"17", b'"on"', b"{}", b"{", b"<html><body>Login</body></html>", b"[" * 60_000,
    b'{"x": "' + b"y" * 300_000 + b'"}', b'{"ison": ' + b"9" * 5000 + b"}", b'{"ison": NaN}', b"\xff\xfe{\x00}\x00",
    b"\xef\xbb\xbf{}", b"\x1f\x8b\x08\x00", b"\x00" * 100, b"status: running status: stopped",
)  # fmt: skip
_STATUSES = (b"200 OK", b"202 Later", b"204 None", b"206 Part", b"300 Many", b"302 Found", b"304 Same", b"400 Bad",
    b"401 Who", b"403 No", b"404 Where", b"409 Not now", b"423 Locked", b"429 Slower", b"500 Oops", b"503 Busy",
    b"999 What", b"two OK", b"", b"100 Go on", b"-1 OK")  # fmt: skip
_HEADERS = (
    b"Content-Encoding: gzip", b"Content-Encoding: br", b"Transfer-Encoding: chunked", b"Content-Length: -1",
    b"Content-Length: 99999999999", b"Content-Length: x", b"Content-Type: text/html", b"Location: /", b"Location: //[",
    b"Content-Type: application/json; charset=klingon", b"no colon", b"X: " + b"y" * 70_000, b"Set-Cookie: \xff=\xfe",
    b"WWW-Authenticate: Digest", b'WWW-Authenticate: Digest realm="', b"X-Auth-Token:", b"A: b\r\n" * 300 + b"A: b",
)  # fmt: skip


def spoiled(answer: bytes, chance: random.Random) -> bytes:
    """Return an answer in a form in which it makes no sense, or less."""
    ways: list[Callable[[bytes, random.Random], bytes]] = [_cut, _doubled, _flipped, _noise, _again, _empty]
    head, between, body = answer.partition(b"\r\n\r\n")
    if answer.startswith(b"HTTP/"):
        ways += [_other_status, _other_headers]
        if chance.random() < 0.7:
            spoilt = chance.choice([_other_body, _other_value, _other_value, _encoded, *ways[:5]])(
                body, chance
            )
            length = b"Content-Length: %d" % len(spoilt)
            return _LENGTH.sub(length, head) + between + spoilt
    elif answer.lstrip().startswith(b"{"):
        ways += [_other_value] * 4 + [_other_body, _encoded]
    return chance.choice(ways)(answer, chance)


def _cut(answer: bytes, chance: random.Random) -> bytes:
    return answer[: chance.randrange(len(answer) + 1)]


def _doubled(answer: bytes, chance: random.Random) -> bytes:
    return answer + chance.choice([b"", b"\n", b"\r\n", b" "]) + answer


def _again(answer: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(answer) + 1)
    return answer[:at] + answer[chance.randrange(len(answer) + 1) :]


def _flipped(answer: bytes, chance: random.Random) -> bytes:
    changed = bytearray(answer)
    for _ in range(chance.choice([1, 1, 2, 8])):
        if changed:
            changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _noise(answer: bytes, chance: random.Random) -> bytes:
    return chance.randbytes(chance.choice([1, 8, 64, 3000]))


def _empty(answer: bytes, chance: random.Random) -> bytes:
    return b""


def _other_body(answer: bytes, chance: random.Random) -> bytes:
    return chance.choice(_BODIES)


def _encoded(answer: bytes, chance: random.Random) -> bytes:
    return answer.decode("latin-1").encode(chance.choice(["utf-16", "utf-32", "utf-8-sig", "utf-7", "cp037"]))


def _other_status(answer: bytes, chance: random.Random) -> bytes:
    return re.sub(rb"(HTTP/\S+) [^\r]*", rb"\1 " + chance.choice(_STATUSES), answer, count=1)


def _other_headers(answer: bytes, chance: random.Random) -> bytes:
    line, between, rest = answer.partition(b"\r\n")
    return line + between + chance.choice(_HEADERS) + b"\r\n" + rest


def _other_value(answer: bytes, chance: random.Random) -> bytes:
    found = _JSON.fullmatch(answer)
    if not found:
        return _flipped(answer, chance)
    before, text, after = found.groups()
    return before + json.dumps(_changed(json.loads(text), chance)).encode() + after


def _changed(value: Any, chance: random.Random) -> Any:
    """Return a document with one value of another type, or none, somewhere."""
    if isinstance(value, dict) and value and chance.random() < 0.8:
        key = chance.choice(sorted(value))
        rest = {name: other for name, other in value.items() if name != key}
        return rest if chance.random() < 0.2 else {**rest, key: _changed(value[key], chance)}
    if isinstance(value, list) and value and chance.random() < 0.5:
        return [_changed(value[0], chance), *value[1:]]
    return chance.choice(_VALUES)


class Peer:
    """Passes on what a driver says, over TCP; `spoil` makes of an answer what is sent, or None: it never ends.

    Where there is nobody behind it, it is `sound` that answers.
    """

    def __init__(
        self,
        spoil: Callable[[bytes], bytes | None],
        behind: int | None = None,
        sound: Callable[[bytes], bytes] | None = None,
    ) -> None:
        self.most = 0
        self._spoil, self._behind, self._sound = spoil, behind, sound
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        # Whoever hangs up in the middle is a driver that has had enough.
        with connection, contextlib.suppress(OSError):
            connection.settimeout(30)
            asked = b"" if self._sound else self._request(connection)
            while self._send(connection, self._answer(asked)):
                asked = self._request(connection)
                if not asked:
                    return

    def _request(self, connection: socket.socket) -> bytes:
        asked = connection.recv(_PIECE)
        length = _LENGTH.search(asked)
        while length and len(asked.partition(b"\r\n\r\n")[2]) < int(length[1]):
            asked += connection.recv(_PIECE)
        return asked.replace(b"keep-alive", b"close")

    def _answer(self, asked: bytes) -> bytes:
        if self._sound:
            return self._sound(asked)
        with socket.create_connection(("127.0.0.1", self._behind or 0), timeout=30) as behind:
            behind.sendall(asked)
            heard = b""
            while piece := behind.recv(_PIECE):
                heard += piece
            return heard

    def _send(self, connection: socket.socket, answer: bytes) -> bool:
        """Send an answer as it is spoilt; tell whether the talk goes on."""
        if not answer:
            return True
        spoilt = self._spoil(answer)
        sent = 0
        try:
            while spoilt is None and sent < ENDLESS:
                connection.sendall((answer + b" " * _PIECE)[:_PIECE])
                sent += _PIECE
        finally:
            self.most = max(self.most, sent)
        connection.sendall(spoilt or b"")
        return not answer.startswith(b"HTTP/")


class PacketPeer:
    """The same over UDP: it spoils packets of the server behind it."""

    def __init__(self, spoil: Callable[[bytes], bytes | None], behind: int) -> None:
        self._spoil, self._behind = spoil, behind
        self.most = 0
        self._front = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._front.bind(("127.0.0.1", 0))
        self.port: int = self._front.getsockname()[1]
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._pass_on, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Pass on nothing more."""
        self._over.set()
        self._thread.join()

    def _pass_on(self) -> None:
        backs: dict[Any, socket.socket] = {}
        with contextlib.ExitStack() as stack:
            looking = stack.enter_context(selectors.DefaultSelector())
            looking.register(stack.enter_context(self._front), selectors.EVENT_READ)
            while not self._over.is_set():
                for key, _ in looking.select(0.1):
                    if key.data is not None:
                        self._bring_back(key.data, backs[key.data].recv(_PIECE))
                        continue
                    asked, whose = self._front.recvfrom(_PIECE)
                    if whose not in backs:
                        back = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
                        back.connect(("127.0.0.1", self._behind))
                        looking.register(back, selectors.EVENT_READ, whose)
                        backs[whose] = back
                    backs[whose].send(asked)

    def _bring_back(self, whose: Any, answer: bytes) -> None:
        spoilt = self._spoil(answer)
        # Without end: as much as a packet can hold, twice.
        for packet in [answer * 50] * 2 if spoilt is None else [spoilt]:
            self._front.sendto(packet[:60_000], whose)
