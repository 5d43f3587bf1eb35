"""The agent (SUTAgent) of an installed image: its line protocol over TCP and the small file system behind it.

Facts of the protocol: on connecting, and after each answer, the agent sends the prompt `$>` and a zero byte;
a command is one line ending in LF or CR LF; an answer that starts with `##AGENT-WARNING##` is an error.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import PurePosixPath

PROMPT = b"$>\x00"
WARNING = "##AGENT-WARNING## "
TEST_ROOT = PurePosixPath("/mnt/sdcard")
LARGEST_FILE = 1 << 20


class AgentWarning(Exception):
    """A command could not be done; the message goes to the client behind the warning's prefix."""


class FileStore:
    """Folders and files of a board's card, in memory; outlives power cycles, not an install."""

    def __init__(self) -> None:
        self._folders: set[PurePosixPath] = {TEST_ROOT, *TEST_ROOT.parents}
        self._files: dict[PurePosixPath, bytes] = {}

    def is_folder(self, path: PurePosixPath) -> bool:
        """Whether the path is a folder."""
        return path in self._folders

    def make_folder(self, path: PurePosixPath) -> None:
        """Makes a folder and those above it; AgentWarning if the path is taken or a file is in the way."""
        if path in self._folders or not self._files.keys().isdisjoint((path, *path.parents)):
            raise AgentWarning(f"Could not create the directory {path}")
        self._folders.update((path, *path.parents))

    def write(self, path: PurePosixPath, content: bytes) -> None:
        """Writes a file into an existing folder, over an older one; AgentWarning if it cannot be."""
        if path.parent not in self._folders or path in self._folders:
            raise AgentWarning(f"Could not create the file {path}")
        self._files[path] = content

    def read(self, path: PurePosixPath) -> bytes:
        """The content of a file; AgentWarning if there is none."""
        try:
            return self._files[path]
        except KeyError:
            raise AgentWarning(f"No such file {path}") from None

    def remove(self, path: PurePosixPath) -> None:
        """Removes a file; AgentWarning if there is none."""
        self.read(path)
        del self._files[path]

    def remove_folder(self, path: PurePosixPath) -> None:
        """Removes a folder with all that is in it; AgentWarning if that cannot be."""
        if path not in self._folders or path == TEST_ROOT or path in TEST_ROOT.parents:
            raise AgentWarning(f"Could not delete the directory {path}")
        self._folders = {item for item in self._folders if item != path and path not in item.parents}
        self._files = {item: data for item, data in self._files.items() if path not in item.parents}


class Agent:
    """Serves the agent's protocol on the connections of one running image."""

    def __init__(
        self, store: FileStore, *, storage_fails: bool, awake: Callable[[], Awaitable[object]]
    ) -> None:
        self._store = store
        self._storage_fails = storage_fails
        self._awake = awake

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, until the client closes it or says `quit`; a hung board answers nothing."""
        while True:
            await self._awake()
            writer.write(PROMPT)
            await writer.drain()
            line = (await reader.readline()).decode("utf-8", "replace").strip("\r\n\0 ")
            if line == "quit" or reader.at_eof():
                return
            await self._awake()
            try:
                answer = await self._answer(line.split(), reader)
            except AgentWarning as warning:
                answer = f"{WARNING}{warning}".encode()
            writer.write(answer + b"\n")

    async def _answer(self, words: list[str], reader: asyncio.StreamReader) -> bytes:
        match words:
            case ["testroot"]:
                answer = str(TEST_ROOT).encode()
            case ["isdir", path]:
                answer = b"TRUE" if self._store.is_folder(PurePosixPath(path)) else b"FALSE"
            case ["mkdr", path]:
                self._check_storage("create the directory", path)
                self._store.make_folder(PurePosixPath(path))
                answer = f"{path} successfully created".encode()
            case ["push", path, size] if size.isdecimal():
                answer = await self._push(path, int(size), reader)
            case ["cat", path]:
                answer = self._store.read(PurePosixPath(path))
            case ["rm", path]:
                self._store.remove(PurePosixPath(path))
                answer = f"{path} deleted".encode()
            case ["rmdr", path]:
                self._store.remove_folder(PurePosixPath(path))
                answer = f"{path} deleted".encode()
            case _:
                raise AgentWarning(f"Invalid command or arguments: {' '.join(words)[:80]}")
        return answer

    async def _push(self, path: str, size: int, reader: asyncio.StreamReader) -> bytes:
        if size > LARGEST_FILE:
            raise AgentWarning(f"More than {LARGEST_FILE} bytes for {path}")
        # The bytes are on their way whether the card works or not, so they are read before it is asked.
        content = await reader.readexactly(size)
        self._check_storage("write the file", path)
        self._store.write(PurePosixPath(path), content)
        return hashlib.md5(content, usedforsecurity=False).hexdigest().encode()

    def _check_storage(self, what: str, path: str) -> None:
        if self._storage_fails:
            raise AgentWarning(f"Could not {what} {path}: input/output error")
