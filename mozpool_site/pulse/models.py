"""Rows that could not be dealt with, and until when the loops pass over them."""

from django.db import models


class Parked(models.Model):
    """One thing that a loop can't deal with at present; with an empty `key` the whole loop in some process.

    It is tried again when `until` has passed. The row goes when that succeeds, or when nobody needs it any more.
    """

    loop = models.CharField(max_length=32)
    key = models.CharField(max_length=64, blank=True, help_text="The number of the row that failed.")
    times = models.PositiveIntegerField(help_text="How often it has failed in a row.")
    until = models.DateTimeField(db_index=True)
    error = models.CharField(max_length=300)
    first = models.DateTimeField()
    last = models.DateTimeField()

    class Meta:
        verbose_name = "parked row"
        constraints = (models.UniqueConstraint(fields=("loop", "key"), name="parked_once"),)

    def __str__(self) -> str:
        return f"{self.loop} {self.key}".rstrip()
