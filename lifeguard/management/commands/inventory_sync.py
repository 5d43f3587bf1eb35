"""`manage.py inventory_sync`: brings the devices into line with an inventory that is kept elsewhere."""

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path
from typing import Any

from django.conf import settings

from devices.inventory import sources
from devices.inventory.declared import find
from devices.inventory.planning import Plan
from devices.inventory.shown import counts, rows
from lifeguard.inventory import Done, carry_out, check_usable, plan_of
from mozpool_site.commands import MozpoolCommand, operator

# Nobody reads more, and laying out a table takes a second for every thousand rows.
_MOST_ROWS = 500


class Command(MozpoolCommand):
    """Plans, shows the plan, and carries it out."""

    help = (
        "Enter, change and retire devices so that they are what an inventory says. SOURCE is a .csv or .yaml file, a\n"
        "source that the file named by MOZPOOL_INVENTORY declares, or `netbox` or `http` with --url.\n"
        "A device that the source no longer lists is locked out, once nobody holds it; nothing is ever deleted.\n"
        "Exit status: 0 all done; 1 no whole answer, too much would change, or something was left (it says what);\n"
        "2 the call or the declaration is wrong. docs/operators/inventory.md tells more."
    )
    examples = (
        "  manage.py inventory_sync lab --dry-run\n"
        "  manage.py inventory_sync lab --ship-it\n"
        "  manage.py inventory_sync new-boards.csv --add-only\n"
        "  NETBOX_TOKEN=... manage.py inventory_sync netbox --url https://netbox.example.com --mapping lab.toml"
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Take the source and what may be done."""
        parser.add_argument("source", metavar="SOURCE", help="a file, a declared source, netbox or http")
        parser.add_argument(
            "--dry-run", action="store_true", help="show what would change, and change nothing"
        )
        parser.add_argument(
            "--ship-it",
            action="store_true",
            help="do it even if more than 5 and more than a tenth of the devices would change",
        )
        parser.add_argument(
            "--add-only",
            action="store_true",
            help="what the source does not list is not gone: retire nothing",
        )
        parser.add_argument(
            "--ignore",
            action="append",
            default=[],
            metavar="PATTERN",
            help="leave devices with such names alone (*, ?, [abc]); may be repeated",
        )
        parser.add_argument("--url", default="", help="where netbox or http is")
        parser.add_argument("--mapping", type=Path, help="a TOML or YAML file with the keys of a declaration")
        parser.add_argument(
            "--as", dest="name", default="", help="the source's name, where its file has another"
        )
        parser.add_argument("--json", action="store_true", help="print the plan and what was done as JSON")

    def handle(self, *, source: str, dry_run: bool, ship_it: bool, json: bool, **options: Any) -> None:
        """Do it."""
        found = find(
            source,
            declared_in=settings.MOZPOOL_INVENTORY,
            mapping=options["mapping"],
            url=options["url"],
            name=options["name"],
        )
        found = replace(
            found,
            ignore=(*found.ignore, *options["ignore"]),
            complete=found.complete and not options["add_only"],
        )
        plan = plan_of(found, sources.read(found))
        if not json:
            self._show(plan)
        if json and (dry_run or not plan.usable):
            self.show_json({"plan": plan.as_dict(), "done": None})
        check_usable(plan)
        if dry_run:
            return
        try:
            done = carry_out(plan, by=operator(), ship_it=ship_it)
        finally:
            # Also where it is refused: what would have been too much?
            if json and plan.too_much and not ship_it:
                self.show_json({"plan": plan.as_dict(), "done": None})
        if json:
            self.show_json({"plan": plan.as_dict(), "done": done.as_dict()})
        else:
            self._tell(done)
        if plan.refused or done.left:
            self.fail(
                f"{len(plan.refused)} records refused, {len(done.left)} changes left for the next time", 1
            )

    def _show(self, plan: Plan) -> None:
        if listed := rows(plan):
            self.show_table(("", "device", "what", "now", "then"), listed[:_MOST_ROWS])
            if len(listed) > _MOST_ROWS:
                self.say(f"and {len(listed) - _MOST_ROWS} more rows; --json shows all")
        self.say(counts(plan))
        if plan.too_much:
            self.say(f"{plan.touched} devices would be entered, changed or retired: that needs --ship-it")

    def _tell(self, done: Done) -> None:
        self.say(f"entered {done.entered}, changed {done.changed}, retired {done.retired}")
        if done.leaving:
            self.say(f"retired as soon as nobody holds them: {', '.join(done.leaving)}")
        for name, reason in done.left:
            self.say(f"left: {name}: {reason}")
