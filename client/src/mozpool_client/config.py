"""Which servers, and with which token: from arguments, else from the environment, else from files.

Files lie in the user's folder for configuration (`~/.config/mozpool` on Linux): `config.toml` is written by people,
`tokens.json` by `mozpool login`, readable by nobody else.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from mozpool_client.durations import parse_duration
from mozpool_client.errors import ConfigError
from mozpool_client.servers import clean_url

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_OTHERS = stat.S_IRWXG | stat.S_IRWXO
_KEYS = {"servers", "duration"}
# The folder of a user who has none: a container's may have no home, another user's home can't be looked into.
NOWHERE = Path(os.devnull, "mozpool")


@dataclass(frozen=True)
class Config:
    """What was found. `token` is one for all servers, or one for each; `duration` is for requests, in seconds."""

    servers: tuple[str, ...]
    token: str | Mapping[str, str] | None
    duration: int | None
    folder: Path


def load(servers: Sequence[str] = (), token: str | None = None, folder: Path | None = None) -> Config:
    """Find the configuration: what is given first, then MOZPOOL_SERVERS and MOZPOOL_TOKEN, then the files.

    Lists of servers are never mixed. Raises ConfigError.
    """
    folder = folder or default_folder()
    written = _read_toml(folder / "config.toml")
    chosen = tuple(servers) or _words(os.environ.get("MOZPOOL_SERVERS", "")) or _listed(written, folder)
    urls = tuple(clean_url(url) for url in chosen)
    known = token or os.environ.get("MOZPOOL_TOKEN", "").strip() or _stored(folder, urls)
    return Config(urls, known or None, _duration(written, folder), folder)


def default_folder() -> Path:
    """Give where the files are: MOZPOOL_CONFIG, else the user's own folder; NOWHERE when that can't be there."""
    chosen = os.environ.get("MOZPOOL_CONFIG", "").strip()
    if chosen:
        return Path(chosen)
    try:
        own = Path(platformdirs.user_config_dir("mozpool"))
    except RuntimeError:
        return NOWHERE
    # Older ones of platformdirs give a relative path where nobody knows the home.
    return own if own.is_absolute() and _can_be_entered(own) else NOWHERE


def read_tokens(folder: Path) -> dict[str, str]:
    """Give the tokens that `mozpool login` stored, by server. Raises ConfigError when others could read them."""
    path = folder / "tokens.json"
    if folder == NOWHERE:
        return {}
    try:
        with path.open(encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            if os.name == "posix" and mode & _OTHERS:
                raise ConfigError(f"{path} can be read by others (mode {mode:04o}); run: chmod 600 {path}")
            found = json.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: {error}; run `mozpool logout` and `mozpool login`") from None
    if not isinstance(found, dict) or not all(isinstance(token, str) for token in found.values()):
        raise ConfigError(f"{path} does not hold tokens; run `mozpool logout` and `mozpool login`")
    return found


def store_tokens(folder: Path, tokens: Mapping[str, str]) -> Path:
    """Write the tokens so that nobody else can read them, not even for a moment; give the file. Raises ConfigError."""
    try:
        return _stored_in(folder, tokens)
    except OSError as error:
        raise _not_kept(folder, error) from None


def check_can_store(folder: Path) -> None:
    """Raise ConfigError when tokens can't be stored in a folder."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _not_kept(folder, error) from None


def _not_kept(folder: Path, error: OSError) -> ConfigError:
    where = "your home, which is not known or not open to you" if folder == NOWHERE else str(folder)
    return ConfigError(
        f"no token can be stored in {where}: {error.strerror}; name a folder with MOZPOOL_CONFIG"
    )


def _stored_in(folder: Path, tokens: Mapping[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / "tokens.json"
    # mkstemp makes files of mode 0600.
    handle, temporary = tempfile.mkstemp(dir=folder, prefix=".tokens-")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            json.dump(dict(tokens), file, indent=2)
            file.write("\n")
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            Path(temporary).unlink()
        raise
    return path


def forget_tokens(folder: Path, servers: Sequence[str]) -> bool:
    """Remove the tokens of some servers; give whether there were any. A file that can't be read is removed whole."""
    try:
        tokens = read_tokens(folder)
    except ConfigError:
        try:
            (folder / "tokens.json").unlink()
        except OSError as error:
            raise ConfigError(f"{folder / 'tokens.json'} can't be removed: {error.strerror}") from None
        return True
    left = {url: token for url, token in tokens.items() if url not in servers}
    if left == tokens:
        return False
    store_tokens(folder, left)
    return True


def _stored(folder: Path, urls: Sequence[str]) -> dict[str, str]:
    tokens = read_tokens(folder)
    return {url: tokens[url] for url in urls if url in tokens}


def _can_be_entered(folder: Path) -> bool:
    try:
        (folder / "config.toml").stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return True


def _read_toml(path: Path) -> dict[str, Any]:
    if path.parent == NOWHERE:
        return {}
    try:
        with path.open("rb") as file:
            found = tomllib.load(file)
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    unknown = sorted(set(found) - _KEYS)
    if unknown:
        raise ConfigError(f"{path}: {unknown[0]!r} is not known there; these are: {', '.join(sorted(_KEYS))}")
    return found


def _listed(written: Mapping[str, Any], folder: Path) -> tuple[str, ...]:
    servers = written.get("servers", [])
    if isinstance(servers, str):
        servers = [servers]
    if not isinstance(servers, list) or not all(isinstance(url, str) for url in servers):
        raise ConfigError(f'{folder / "config.toml"}: servers should be a list: servers = ["https://..."]')
    return tuple(servers)


def _duration(written: Mapping[str, Any], folder: Path) -> int | None:
    duration = written.get("duration")
    if duration is None:
        return None
    try:
        return parse_duration(str(duration))
    except ValueError as error:
        raise ConfigError(f"{folder / 'config.toml'}: duration: {error}") from None


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.replace(",", " ").split())
