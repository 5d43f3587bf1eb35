#!/usr/bin/env python3
"""Entry point of every management command; wrong settings end in plain lines on stderr, not in a traceback."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> int:
    """Run the command named on the command line and return the exit status for the shell."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mozpool_site.settings")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
