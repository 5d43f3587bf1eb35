"""Pages know the tables of states and verbs, whose modules need Django's apps; nothing here asks a database."""

import django

django.setup()
