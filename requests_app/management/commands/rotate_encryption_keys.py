"""`manage.py rotate_encryption_keys`: encrypts by the first key what an older one has encrypted."""

from typing import Any

from mozpool_site.commands import MozpoolCommand
from mozpool_site.encrypted import columns, encrypt_anew


class Command(MozpoolCommand):
    """Goes through every encrypted column while everything runs; exit status 1 where no key of ours fits."""

    help = (
        "Encrypt the power passwords and webhook secrets in the database by the first of MOZPOOL_ENCRYPTION_KEYS. "
        "Afterwards the others are not needed any more. May run while everything runs, and again after an interruption."
    )

    def handle(self, **_: Any) -> None:
        """Encrypt, and tell how much of each column."""
        for model, field in columns():
            changed, seen = encrypt_anew(model, field)
            self.stdout.write(f"{model._meta.db_table}.{field.name}: {changed} of {seen} rows encrypted anew")
