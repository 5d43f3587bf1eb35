"""Where Django looks for an app's admin pages."""

from pages.repairs import devices  # noqa: F401 - registers its page
