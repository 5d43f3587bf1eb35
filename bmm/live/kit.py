"""Puts the live kit's scripts together: each travels as one file, with all that it needs."""

import json
import re
import shlex
from collections.abc import Mapping
from pathlib import Path

_FOLDER = Path(__file__).with_name("scripts")
_IMAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", re.ASCII)

SECOND_STAGES = ("install", "maintenance", "self-test")
"""Named as the actions that they tell to a board, real or simulated."""


def text_of(name: str) -> str:
    """Give one of the kit's files as it is."""
    return (_FOLDER / f"{name}.sh").read_text(encoding="utf-8")


def mobile_init() -> str:
    """Give the program that the live image begins with."""
    return "\n".join(["#!/bin/sh", text_of("common"), text_of("mobile-init")])


def second_stage(action: str, image: str, settings: Mapping[str, object]) -> str:
    """Give a second-stage script, with placeholders that are filled in for each device and boot.

    `settings` are fixed in the script; what a request asks for with its image counts where they are silent. Raises
    ValueError for an unknown action, and for a name that no image can have.
    """
    if action not in SECOND_STAGES:
        raise ValueError(f"{action!r} is no second stage; there are: {', '.join(SECOND_STAGES)}")
    if not _IMAGE.fullmatch(image):
        raise ValueError(f"{image!r} is no name of an image")
    head = [
        "#!/bin/sh",
        f"# Mozpool's live kit: {action}. Runs on a device, from memory.",
        "MOZPOOL_URL='%BASEURL%/boot/%DEVICE%/%TOKEN%'",
        f"MOZPOOL_ACTION='{action}'",
        f"MOZPOOL_IMAGE='{image}'",
        f"MOZPOOL_SETTINGS={shlex.quote(json.dumps(settings, sort_keys=True, ensure_ascii=False))}",
        "",
    ]
    return "\n".join(head) + "\n" + text_of("common") + "\n" + text_of(action)
