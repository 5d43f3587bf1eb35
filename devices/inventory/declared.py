"""Where an inventory is and how to read it, as an operator declares it in TOML or YAML; every key is checked."""

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from devices.inventory.files import UniqueKeys, yaml_problem
from devices.inventory.planning import Scope
from devices.inventory.records import FIELDS
from devices.names import SLUG
from mozpool_site.errors import InvalidInputError, UnknownNameError

FILE_KINDS = {".csv": "csv", ".yaml": "yaml", ".yml": "yaml"}
WEB_KINDS = ("netbox", "http")
_SAME = {name: name for name in FIELDS}
# Interfaces and power ports are lists of their own in NetBox; see netbox.py.
_NETBOX = {
    "name": "name",
    "fqdn": "name",
    # `primary_ip` is the IPv6 one where a device has both, unless NetBox prefers IPv4.
    "address": "primary_ip4.address | primary_ip.address",
    "mac": "interface.mac_address",
    "inventory_id": "id",
    "rack": "rack.name",
    "hardware_type": "{device_type.manufacturer.slug} {device_type.slug}",
    "power_controller": "power_port.connected_endpoints.0.device.name",
    "outlet": "power_port.connected_endpoints.0.name",
    "environment": "custom_fields.environment",
    "tags": "tags",
}
_TOKENS = {"netbox": "NETBOX_TOKEN", "http": "INVENTORY_TOKEN"}
_TEXTS = ("kind", "path", "url", "token_env", "token_file", "auth", "items", "next", "count")
_LISTS = ("racks", "ignore")
_TABLES = ("fields", "defaults", "patterns", "filters", "interface_filters", "power_port_filters")


class _Strict(UniqueKeys, yaml.SafeLoader):
    """Reads YAML, and refuses a key that is there twice."""


@dataclass(frozen=True)
class Source:
    """A declared source. `fields`: where in one of its devices each of records.FIELDS is (see paths.py).

    `owns`: the devices that it lists are its own from then on.
    """

    name: str
    kind: str
    path: str = ""
    url: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    patterns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    filters: Mapping[str, Any] = field(default_factory=dict)
    interface_filters: Mapping[str, Any] = field(default_factory=dict)
    power_port_filters: Mapping[str, Any] = field(default_factory=dict)
    racks: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    complete: bool = True
    token_env: str = ""
    token_file: str = ""
    auth: str = "Bearer"
    items: str = "results"
    next: str = "next"
    count: str = ""
    owns: bool = True

    @property
    def scope(self) -> Scope:
        """What it answers for."""
        return Scope(self.name, frozenset(self.racks), self.ignore, self.complete, self.owns)

    @property
    def token(self) -> str:
        """The secret that it wants to see; empty where it wants none. Raises InvalidInputError."""
        if not self.token_file:
            secret = os.environ.get(self.token_env or _TOKENS.get(self.kind, ""), "").strip()
        else:
            try:
                secret = Path(self.token_file).read_text(encoding="utf-8").strip()
            except (OSError, UnicodeDecodeError) as error:
                raise InvalidInputError(f"token_file of {self.name}: {error}", field="token_file") from None
        if not (secret.isascii() and secret.isprintable()):
            # It goes into a header, and a library that refuses it there would repeat it.
            raise InvalidInputError(
                f"the token of {self.name} (not shown) is no line of plain text", field="token"
            )
        return secret


def find(
    word: str, *, declared_in: Path | None, mapping: Path | None = None, url: str = "", name: str = ""
) -> Source:
    """Give the source that `word` means: one that is declared, a CSV or YAML file, or `netbox` or `http` at `url`.

    `mapping` is a file with the keys of a declaration. Raises InvalidInputError, UnknownNameError.
    """
    known = declared(declared_in) if declared_in else {}
    if word in known and not (mapping or url):
        return replace(known[word], name=name or word)
    kind = FILE_KINDS.get(Path(word).suffix.lower()) or (word if word in WEB_KINDS else None)
    if kind is None:
        more = f"; {declared_in} declares {', '.join(sorted(known)) or 'none'}" if declared_in else ""
        raise UnknownNameError(
            f"{word!r} is no source: a file (.csv, .yaml), netbox or http with --url, or a declared name{more}",
            field="source",
        )
    table = _load(mapping) if mapping else {}
    where = {"path": word} if kind in FILE_KINDS.values() else {"url": url} if url else {}
    return _source(name or _named_after(word), {**table, "kind": kind, **where})


def declared(path: Path) -> dict[str, Source]:
    """Read all sources that a file declares below `sources`, by name. Raises InvalidInputError."""
    table = _load(path)
    sources = table.pop("sources", None)
    if table or not isinstance(sources, dict):
        raise InvalidInputError(f"{path}: a table `sources` expected, and nothing else", field="inventory")
    found = {}
    for name, one in sources.items():
        if not SLUG.fullmatch(str(name)) or not isinstance(one, dict):
            raise InvalidInputError(
                f"{path}: {name!r} is no source's plain name and table", field="inventory"
            )
        found[str(name)] = _source(str(name), one)
    return found


def _named_after(word: str) -> str:
    name = Path(word).stem
    if not SLUG.fullmatch(name):
        raise InvalidInputError(f"{name!r} can't be a source's name: give it one by --as", field="as")
    return name


def _load(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text) if path.suffix == ".toml" else yaml.load(text, Loader=_Strict)  # noqa: S506 - a SafeLoader
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        told = (
            yaml_problem(error) if isinstance(error, yaml.MarkedYAMLError) else " ".join(str(error).split())
        )
        raise InvalidInputError(f"{path} can't be read: {told}", field="inventory") from None
    if not isinstance(table, dict):
        raise InvalidInputError(f"{path}: a table expected", field="inventory")
    return table


def _source(name: str, table: Mapping[str, Any]) -> Source:
    for key, value in table.items():
        if wrong := _wrong(key, value):
            raise InvalidInputError(f"source {name}: {key}: {wrong}", field=str(key))
    kind = table.get("kind")
    if kind not in (*FILE_KINDS.values(), *WEB_KINDS):
        raise InvalidInputError(f"source {name}: kind: csv, yaml, netbox or http expected", field="kind")
    needed = "url" if kind in WEB_KINDS else "path"
    if not table.get(needed):
        raise InvalidInputError(f"source {name}: {needed}: where is it?", field=needed)
    if needed == "url":
        _check_url(name, str(table["url"]))
    fields = {**_NETBOX, **table.get("fields", {})} if kind == "netbox" else table.get("fields", {})
    lists = {key: tuple(table[key]) for key in _LISTS if key in table}
    # An empty path takes a field out: it is none of the source's business.
    return Source(
        **{**table, **lists, "name": name, "fields": {key: path for key, path in fields.items() if path}}
    )


def _wrong(key: object, value: object) -> str:
    """Say what is wrong with a key of a declaration; nothing when all is well."""
    if key in _TABLES:
        return _wrong_table(str(key), value)
    if key in _TEXTS:
        return "" if isinstance(value, str) else "text expected"
    if key in _LISTS:
        good = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return "" if good else "a list of texts expected"
    if key == "complete":
        return "" if isinstance(value, bool) else "true or false expected"
    return f"no such key; there are {', '.join((*_TEXTS, *_LISTS, 'complete', *_TABLES))}"


def _wrong_table(key: str, value: object) -> str:
    if not isinstance(value, dict):
        return "a table expected"
    if key not in ("fields", "defaults", "patterns"):
        return ""
    if unknown := sorted(map(str, value.keys() - set(FIELDS))):
        return f"{unknown[0]} is no field; there are {', '.join(FIELDS)}"
    if key == "fields" and not all(isinstance(path, str) for path in value.values()):
        return "a text for each field expected"
    return next(filter(None, map(_wrong_pattern, value.values())), "") if key == "patterns" else ""


def _wrong_pattern(rule: object) -> str:
    match rule:
        case [str(pattern), str(becomes)]:
            try:
                re.compile(pattern).sub(becomes, "")
            except (re.error, IndexError) as error:
                return f"{error} in {pattern!r} and {becomes!r}"
            return ""
    return r"a regular expression and what becomes of it expected, such as ['Outlet (\d+)', '\1']"


def _check_url(name: str, url: str) -> None:
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc
        _ = parts.port
    except ValueError:
        good = False
    if not good:
        raise InvalidInputError(
            f"source {name}: url: an http or https URL without user expected", field="url"
        )


def fields_of(source: Source) -> Mapping[str, str]:
    """Give where each field is; a source that declares none calls them by our names."""
    return source.fields or _SAME
