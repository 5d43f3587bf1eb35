"""Reads the two texts that a booting board is given: its PXELINUX boot file and the second-stage script."""

import shlex
from dataclasses import dataclass
from urllib.parse import urlsplit

SECOND_STAGE = "/second-stage"
URL_ARGUMENT = "mobile-imaging-url="


class BootTextError(Exception):
    """The board was given a text that it cannot boot with; the message says what is wrong with it."""


@dataclass(frozen=True)
class SecondStage:
    """What the second-stage script tells the live image: whom to call, what to do, which image."""

    url: str
    action: str
    image: str


def callback_base(boot_file: str) -> str:
    """The URL that the board's calls start with, from its boot file; BootTextError if there is none.

    The live image finds `mobile-imaging-url=BASE/second-stage` on its kernel line, which is the APPEND line
    of the boot file's default label.
    """
    urls = [
        word.removeprefix(URL_ARGUMENT) for word in _kernel_line(boot_file) if word.startswith(URL_ARGUMENT)
    ]
    if not urls:
        raise BootTextError(f"no {URL_ARGUMENT} on the kernel line")
    # As on a real kernel line, the last of several wins.
    url = urls[-1]
    try:
        parts = urlsplit(url)
        fine = parts.scheme == "http" and bool(parts.hostname) and parts.port != 0 and url.isascii()
    except ValueError:
        fine = False  # A port that is no number, or a broken IPv6 address.
    if not fine:
        raise BootTextError(f"{URL_ARGUMENT}{url} is no http URL")
    if not parts.path.endswith(SECOND_STAGE) or parts.query or parts.fragment:
        raise BootTextError(f"{URL_ARGUMENT}{url} does not end in {SECOND_STAGE}")
    return url.removesuffix(SECOND_STAGE)


def _kernel_line(boot_file: str) -> list[str]:
    default, label = "", ""
    lines: dict[str, list[str]] = {}
    for line in boot_file.splitlines():
        keyword, _, rest = line.strip().partition(" ")
        match keyword.upper():
            case "DEFAULT":
                default = rest.strip()
            case "LABEL":
                label = rest.strip()
                lines[label] = []
            case "APPEND":
                lines[label] = rest.split()  # Before any label, it stands under the empty name.
    chosen = default or next(iter(lines), "")
    if chosen not in lines:
        raise BootTextError(f"the boot file has no label {chosen!r}")
    return lines[chosen]


def second_stage(script: str) -> SecondStage:
    """The settings at the script's head (shell assignments); BootTextError if one is missing."""
    values: dict[str, str] = {}
    for line in script.splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and name.startswith("MOZPOOL_"):
            values[name] = _shell_value(value)
    try:
        return SecondStage(values["MOZPOOL_URL"], values["MOZPOOL_ACTION"], values["MOZPOOL_IMAGE"])
    except KeyError as error:
        raise BootTextError(f"the second-stage script does not set {error.args[0]}") from error


def _shell_value(value: str) -> str:
    try:
        words = shlex.split(value, comments=True)
    except ValueError as error:
        raise BootTextError(f"the second-stage script has an unclosed quote: {value}") from error
    return words[0] if words else ""
