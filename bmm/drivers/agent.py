"""The agent of an installed image (SUTAgent): whether it is up, and whether storage can be written.

A line protocol on TCP 20701. The agent sends the prompt `$>` (mostly with a NUL behind it) on connecting and
after every answer; an answer that begins with `##AGENT-WARNING##` is a failure in the agent's own words.
"""

import hashlib
import re
import secrets
from typing import Self

from bmm.deadline import Deadline
from bmm.drivers.address import check_port
from bmm.drivers.wire import Wire
from bmm.errors import Garbled, Refused, Unreachable

AGENT_PORT = 20701

# The agent answers with its test root within 15 s; with connecting and greeting it is up within 45 s.
_ANSWER_SECONDS = 15.0
_VERIFY_SECONDS = 45.0
# The state that waits for the storage check lasts 200 s; slow cards take their time over a write.
_STORAGE_SECONDS = 195.0

_PROMPT = b"$>"
_WARNING = "##AGENT-WARNING##"
# Our longest honest answer is the 4 kB test file; what is longer is not an agent.
_LONGEST_ANSWER = 65536
_TEST_BYTES = 4096
_PATH = re.compile(r"/[\x21-\x7e]{0,254}")


class _Agent:
    """A conversation with one agent, past its greeting."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire

    @classmethod
    def call(cls, address: str, port: int, deadline: Deadline) -> Self:
        agent = cls(Wire.connect(address, check_port(port), deadline))
        try:
            agent._answer(deadline)
        except BaseException:
            agent.close()
            raise
        return agent

    def ask(self, command: str, deadline: Deadline, data: bytes = b"") -> str:
        """Send a command line, with the bytes that belong to it, and give the answer without its prompt.

        Raises Refused with the agent's own words when it answers with a warning.
        """
        self._wire.send(command.encode("ascii") + b"\n" + data, deadline)
        answer = self._answer(deadline)
        if answer.startswith(_WARNING):
            reason = answer.removeprefix(_WARNING).strip()
            raise Refused(f"the agent at {self._wire.peer} refused {command!r}: {reason[:200]}")
        return answer

    def test_root(self, deadline: Deadline) -> str:
        """Ask for the folder that tests may write to; raises Garbled for what is no path."""
        lines = self.ask("testroot", deadline).splitlines()
        if len(lines) != 1 or not _PATH.fullmatch(lines[0]):
            raise Garbled(f"the agent at {self._wire.peer} gave no path as its test root: {lines!r:.200}")
        return lines[0]

    def close(self) -> None:
        self._wire.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _answer(self, deadline: Deadline) -> str:
        heard = b""
        while not heard.rstrip(b"\0").endswith(_PROMPT):
            if len(heard) > _LONGEST_ANSWER:
                raise Garbled(f"{self._wire.peer} sent over {_LONGEST_ANSWER} bytes without a prompt")
            heard += self._wire.receive(4096, deadline)
        # A NUL at the front is the end of the last prompt, come in a packet of its own.
        return heard.strip(b"\0").removesuffix(_PROMPT).decode("utf-8", "replace").strip()


def verify(address: str, port: int, deadline: Deadline) -> str:
    """Connect to an agent and give its test root, a path; at most 45 s in all, 15 s of them for the root.

    Raises Unreachable (or OutOfTime) when nobody answers, Refused when the agent answers with a warning,
    Garbled when what answers is no agent.
    """
    whole = deadline.sooner(_VERIFY_SECONDS)
    with _Agent.call(address, port, whole) as agent:
        return agent.test_root(whole.sooner(_ANSWER_SECONDS))


def check_storage(address: str, port: int, deadline: Deadline) -> None:
    """Make a folder in the agent's test root, write a file, read it back and remove both; at most 195 s.

    Raises Refused with the reason when the storage fails, Unreachable or Garbled when the agent does.
    """
    whole = deadline.sooner(_STORAGE_SECONDS)
    with _Agent.call(address, port, whole) as agent:
        # A new name each time: what an interrupted check left behind cannot pass for what this one wrote.
        folder = f"{agent.test_root(whole).rstrip('/')}/mozpool-check-{secrets.token_hex(4)}"
        path = f"{folder}/written"
        try:
            _write_and_read(agent, folder, path, whole)
        except Refused:
            _tidy(agent, folder, path, whole)
            raise
        agent.ask(f"rm {path}", whole)
        agent.ask(f"rmdr {folder}", whole)
        if agent.ask(f"isdir {folder}", whole) != "FALSE":
            raise Refused(f"{address}: the storage keeps {folder} although it was removed")


def _write_and_read(agent: _Agent, folder: str, path: str, deadline: Deadline) -> None:
    agent.ask(f"mkdr {folder}", deadline)
    if agent.ask(f"isdir {folder}", deadline) != "TRUE":
        raise Refused(f"the storage has no {folder} although it was made")
    content = secrets.token_hex(_TEST_BYTES // 2)
    # The protocol names this digest; it guards against accidents, not against people.
    digest = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest()
    answer = agent.ask(f"push {path} {_TEST_BYTES}", deadline, content.encode())
    if digest not in answer.lower():
        raise Refused(f"the storage did not take {path} whole: md5 {digest} expected, got {answer!r:.200}")
    if agent.ask(f"cat {path}", deadline) != content:
        raise Refused(f"the storage gave back another {path} than was written")


def _tidy(agent: _Agent, folder: str, path: str, deadline: Deadline) -> None:
    """Remove what can be removed; the storage has failed already, and its first failure is what to tell."""
    for command in (f"rm {path}", f"rmdr {folder}"):
        try:
            agent.ask(command, deadline.sooner(_ANSWER_SECONDS))
        except Refused:
            continue
        except Unreachable:
            return
