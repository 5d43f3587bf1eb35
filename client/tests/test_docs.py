"""What the documents say can be typed: every command, flag, name and method in them is there."""

from __future__ import annotations

import ast
import inspect
import re
import shlex
from pathlib import Path

import click
import pytest

import mozpool_client
from mozpool_client import legacy
from mozpool_client.cli.app import main

CLIENT = Path(__file__).resolve().parents[1]
PLACES = [CLIENT / "README.md", CLIENT.parent / "docs" / "automation.md", CLIENT.parent / "README.md"]
# An sdist has no docs beside it.
DOCUMENTS = [path for path in PLACES if path.is_file()]
TEXTS = {path: path.read_text(encoding="utf-8") for path in DOCUMENTS}
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
MODULES = {"mozpool_client": mozpool_client, "mozpool_client.legacy": legacy}


def calls() -> list[str]:
    """Give every call of the command: in blocks, in examples of other systems, and between backquotes in tables."""
    found = set()
    for text in TEXTS.values():
        for line in text.replace("\\\n", " ").splitlines():
            for part in re.findall(r"`(mozpool [^`]+)`", line):
                found.add(part)
            if call := re.search(r"(?:^\s*|exec )(mozpool [a-z-]+ .*?)\s*(?:#.*)?$", line):
                words = call.group(1)
                # Groovy's quote around the whole of it.
                found.add(words.rstrip("'") if words.count("'") % 2 else words)
    return sorted(call.replace("${{", "").replace("}}", "") for call in found)


def python_blocks() -> list[tuple[str, str]]:
    """Give the Python of the documents, with where it is."""
    return [
        (path.name, body)
        for path, text in TEXTS.items()
        for language, body in BLOCK.findall(text)
        if language == "python" and "mozpool" in body
    ]


def test_the_documents_show_how_to_call_the_command() -> None:
    assert len(calls()) >= 10
    assert {shlex.split(call)[1] for call in calls()} >= {"run", "request", "list", "login", "log", "return"}


@pytest.mark.parametrize("call", calls())
def test_a_call_in_the_documents_is_understood(call: str) -> None:
    name, *words = shlex.split(call)[1:]
    command = main.commands[name]
    try:
        command.make_context(name, list(words))
    except click.MissingParameter:
        # A command that is only mentioned; one with options has to be whole.
        assert not words


def test_every_flag_in_the_documents_is_one() -> None:
    ours = {flag for command in main.commands.values() for option in command.params for flag in option.opts}
    ours |= {
        flag
        for command in main.commands.values()
        for option in command.params
        for flag in option.secondary_opts
    }
    ours |= {flag for option in main.params for flag in option.opts} | {"--help"}
    text = (CLIENT.parent / "docs" / "automation.md").read_text(encoding="utf-8")
    mentioned = set(re.findall(r"`(--[a-z-]+)", text))
    assert mentioned
    assert mentioned - ours == set()


@pytest.mark.parametrize(("where", "body"), python_blocks())
def test_python_in_the_documents_uses_names_that_are_there(where: str, body: str) -> None:
    tree = ast.parse(body)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in MODULES:
            for alias in node.names:
                assert hasattr(MODULES[node.module], alias.name), (where, alias.name)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            value = node.func.value
            if isinstance(value, ast.Name) and value.id == "pool":
                known = inspect.signature(getattr(mozpool_client.Mozpool, node.func.attr)).parameters
                given = {word.arg for word in node.keywords}
                order = set(inspect.signature(mozpool_client.Order).parameters)
                assert given <= set(known) | (order if "wishes" in known else set()), (where, given)


def test_every_error_in_the_documents_is_one() -> None:
    text = (CLIENT.parent / "docs" / "automation.md").read_text(encoding="utf-8")
    table = text.split("| error | what to do |")[1].split("\n\n")[0]
    names = {name for line in table.splitlines() for name in re.findall(r"`([A-Z]\w+)`", line)}
    assert len(names) == 10
    assert all(issubclass(getattr(mozpool_client, name), mozpool_client.MozpoolError) for name in names)
