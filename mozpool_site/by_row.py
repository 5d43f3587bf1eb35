"""Conditions that no index may serve, where one would lead the database to far more rows than are wanted."""

from django.db.models import BooleanField, Case, Q, When
from django.db.models.lookups import Lookup


def by_row(condition: "Q | Lookup[bool]") -> Case:
    """Return a condition for `filter` that is judged row by row, among rows that another one has narrowed down.

    Of "the newest hundred thousand that are closed" both databases would take all that are closed, by their index, and
    sort them.
    """
    return Case(When(condition, then=True), default=False, output_field=BooleanField())
