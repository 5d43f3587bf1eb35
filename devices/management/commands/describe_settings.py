"""Prints the reference of all settings as Markdown, for docs/settings.md."""

from typing import Any

from django.core.management.base import BaseCommand

from mozpool_site import env_reference


class Command(BaseCommand):
    """Print the reference of all settings as Markdown."""

    help = "Print the reference of all environment variables as Markdown (docs/settings.md)."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        self.stdout.write(env_reference.markdown(), ending="")
