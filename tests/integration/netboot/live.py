"""The live image as a process: busybox's own programs run mobile-init, a file stands for the disk."""

import contextlib
import hashlib
import json
import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from bmm.live import kit


@dataclass
class FileServer:
    """A web server with files; it can break off, and counts what was asked for."""

    port: int
    files: dict[str, bytes] = field(default_factory=dict)
    # How often the next answers for a path break off in the middle.
    breaks: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def add(self, path: str, content: bytes) -> tuple[str, str]:
        """Serve a file; give its URL and its checksum."""
        self.files[path] = content
        return f"http://127.0.0.1:{self.port}{path}", hashlib.sha256(content).hexdigest()


@contextmanager
def file_server() -> Iterator[FileServer]:
    """Run one in a thread."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            shared.asked.append(self.path)
            content = shared.files.get(self.path)
            if content is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command == "HEAD":
                return
            if shared.breaks.get(self.path, 0):
                shared.breaks[self.path] -= 1
                content = content[: len(content) // 2]
            with contextlib.suppress(OSError):
                self.wfile.write(content)

        do_HEAD = do_GET  # noqa: N815 - the server calls it by this name

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    shared = FileServer(server.server_address[1])
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield shared
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class LiveImage:
    """A device that has booted the live image; everything it writes is below `folder`."""

    folder: Path

    def __post_init__(self) -> None:
        programs = self.folder / "bin"
        programs.mkdir()
        # Links to busybox, and nothing else on PATH: no program of this machine stands in for what is missing. What
        # would end or change this machine is left out.
        busybox = Path("/bin/busybox").resolve()
        for name in subprocess.run(
            [busybox, "--list"], capture_output=True, text=True, check=True
        ).stdout.split():
            if name not in {"reboot", "poweroff", "halt", "init", "insmod", "modprobe", "mount", "umount"}:
                (programs / name).symlink_to(busybox)
        (self.folder / "mobile-init").write_text(kit.mobile_init())

    def boot(self, url: str, largest_mb: int = 1024, **more: str) -> subprocess.CompletedProcess[str]:
        """Run mobile-init with this URL on its kernel line; no file can grow over `largest_mb`."""
        (self.folder / "cmdline").write_text(f"console=ttyO2 mobile-imaging-url={url} quiet\n")
        return subprocess.run(
            # Python's children would be killed for it; a program on a device gets an error from the kernel.
            [self.folder / "bin/sh", "-c", f"trap '' XFSZ; ulimit -f {largest_mb * 2048}; exec sh mobile-init"],
            env={
                "PATH": str(self.folder / "bin"),
                "LIVE_RUN": str(self.folder / "run"),
                "LIVE_CMDLINE": str(self.folder / "cmdline"),
                "LIVE_TRIES": "3",
                "LIVE_PROGRESS": "1",
                **more,
            },
            capture_output=True, text=True, check=False, timeout=90, cwd=self.folder,
        )  # fmt: skip

    @property
    def then(self) -> str:
        """What the live image does next."""
        return (self.folder / "run/then").read_text().strip()

    def disk(self, megabytes: int) -> Path:
        """Make a disk full of an old image."""
        path = self.folder / "disk"
        path.write_bytes(os.urandom(1048576) * megabytes)
        return path


def script(action: str, **values: object) -> str:
    """Give a second stage of the kit with settings."""
    return kit.second_stage(
        action, "linux" if action == "install" else action, json.loads(json.dumps(values))
    )
