"""Judging knows the tables of states, whose modules need Django's apps; nothing here asks a database."""

import django

django.setup()
