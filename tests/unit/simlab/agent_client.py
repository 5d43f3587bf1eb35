"""A client's side of the agent's protocol, byte for byte."""

import socket
from typing import Self

PROMPT = b"$>\x00"


class AgentClient:
    """One connection to an agent; the greeting is checked on the way in."""

    def __init__(self, address: str, port: int = 20701) -> None:
        self.socket = socket.create_connection((address, port), timeout=3)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def greeting(self) -> bytes:
        """What the agent says first."""
        return self._until_prompt()

    def ask(self, command: bytes) -> bytes:
        """Sends bytes as they are; the answer without the prompt that ends it."""
        self.socket.sendall(command)
        return self._until_prompt()

    def says_nothing(self, seconds: float = 0.1) -> bool:
        """Whether nothing comes for so long, with the connection still open."""
        self.socket.settimeout(seconds)
        try:
            self.socket.recv(64)
        except TimeoutError:
            return True
        return False

    def _until_prompt(self) -> bytes:
        heard = b""
        while not heard.endswith(PROMPT):
            more = self.socket.recv(4096)
            if not more:
                raise ConnectionError(f"closed after {heard!r}")
            heard += more
        return heard.removesuffix(PROMPT)
