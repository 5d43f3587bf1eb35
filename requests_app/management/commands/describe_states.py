"""Prints both state machines from their tables, as Markdown or as Mermaid diagrams, for docs/states.md."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from lifeguard.states import DEVICE
from mozpool_site.statemachine import diagrams
from requests_app.states import REQUEST

MACHINES = {spec.name: spec for spec in (DEVICE, REQUEST)}


class Command(BaseCommand):
    """Print the state machines."""

    help = (
        "Print the state machines as their tables say. Without arguments: the whole of docs/states.md, "
        "with tables and diagrams of both."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare which machine, and how."""
        parser.add_argument("machine", nargs="?", choices=MACHINES, help="only this one")
        parser.add_argument(
            "--format", choices=("markdown", "mermaid"), help="only the table, or only the diagram"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Print it."""
        chosen = [MACHINES[options["machine"]]] if options["machine"] else list(MACHINES.values())
        if options["format"] is None and options["machine"] is None:
            text = diagrams.document(chosen)
        else:
            draw = diagrams.mermaid if options["format"] == "mermaid" else diagrams.markdown
            text = "\n".join(draw(spec) for spec in chosen)
        self.stdout.write(text, ending="")
