"""The grammars of names that travel into file names, commands and protocols."""

import re

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator
from django.db.models import Model

# RFC 1123: labels of letters, digits and hyphens, joined by dots; 253 characters at most.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
HOSTNAME = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*")
MAC = re.compile(r"[0-9a-f]{12}")
# Names of images, boot configs, racks, environments: safe in URLs, file names and queue names.
SLUG = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")

validate_hostname = RegexValidator(
    rf"^{HOSTNAME.pattern}\Z", "Letters, digits and hyphens in labels joined by dots, please."
)
validate_mac = RegexValidator(
    rf"^{MAC.pattern}\Z", "Twelve lower-case hex digits without separators, please."
)
validate_slug = RegexValidator(
    rf"^{SLUG.pattern}\Z", "Letters, digits, dots, hyphens and underscores, 64 at most, please."
)


# In the place of a device's or an environment's name: no matter which. So nothing may bear that name.
ANY = "any"
ANY_MEANS_ANY = '"any" stands for no matter which; another name, please.'


def check_case(row: Model) -> None:
    """Raise ValidationError where another row has the same name but for its case: no database may tell them apart."""
    name = row.name  # type: ignore[attr-defined]  # a model with names
    others = type(row)._default_manager.exclude(pk=row.pk).filter(name__iexact=name)
    found = others.order_by().values_list("name", flat=True).first()
    if found not in (None, name):
        raise ValidationError({"name": f"{found} is there already, but for its case."})


def is_list_of_names(value: object) -> bool:
    """Whether a value from a JSON column is a list of plain names, none of them twice."""
    if not isinstance(value, list) or not all(
        isinstance(name, str) and SLUG.fullmatch(name) for name in value
    ):
        return False
    return len(set(value)) == len(value)
