"""System checks that any app may register: doorbells are plain names, so a misspelt one would ring nowhere."""

import importlib
from collections.abc import Iterable

from celery import current_app
from django.core.checks import CheckMessage, Error


def tasks_exist(names: Iterable[str]) -> list[CheckMessage]:
    """Give an error for each name that is no Celery task; the module is the part before the last dot."""
    return [
        Error(
            f"no Celery task is named {name!r}, but a doorbell is rung for it: {reason}",
            hint="Correct the name where it is rung, or add the task; without it the pulse does the work, later.",
            id="mozpool.E001",
        )
        for name in names
        if (reason := _missing(name))
    ]


def _missing(name: str) -> str:
    module = name.rpartition(".")[0]
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as error:
        return str(error)
    return "" if name in current_app.tasks else f"{module} defines no such task"
