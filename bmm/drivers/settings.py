"""Settings that a driver declares, so that forms, checks and documents know them and hide the secret ones."""

from collections.abc import Mapping
from dataclasses import dataclass

from bmm.errors import Misconfigured

SettingValue = str | int | float | bool


@dataclass(frozen=True)
class SettingSpec:
    """One declared setting. Without a default (None) it must be given; a secret one is never shown."""

    name: str
    type: type[str] | type[int] | type[float] | type[bool]
    default: SettingValue | None = None
    secret: bool = False
    help: str = ""
    # The only values that there are; empty: any.
    choices: tuple[str, ...] = ()
    # The bounds of a number, both included.
    least: float = 0
    most: float = 1e9

    def read(self, value: object) -> SettingValue:
        """Give the value in the declared type; a wrong one raises Misconfigured and does not show it."""
        if self.type is float and isinstance(value, int) and not isinstance(value, bool):
            value = float(value)
        # bool is a subclass of int, and true is no number of relays.
        if isinstance(value, (str, int, float, bool)) and type(value) is self.type:
            if self.choices and value not in self.choices:
                raise Misconfigured(f"setting {self.name}: one of {', '.join(self.choices)} expected")
            # Not a number (JSON's NaN) is not between them either.
            if isinstance(value, (int, float)) and not self.least <= value <= self.most:
                raise Misconfigured(f"setting {self.name}: {self.least:g} to {self.most:g} expected")
            return value
        raise Misconfigured(
            f"setting {self.name}: a {self.type.__name__} expected, got a {type(value).__name__}",
        )


def read_settings(specs: tuple[SettingSpec, ...], given: Mapping[str, object]) -> dict[str, SettingValue]:
    """Give every declared setting its value, given or default.

    An unknown name, a wrong type or a missing value without default raises Misconfigured naming the setting.
    """
    unknown = sorted(given.keys() - {spec.name for spec in specs})
    if unknown:
        known = ", ".join(spec.name for spec in specs) or "none"
        raise Misconfigured(f"unknown setting {unknown[0]}; this driver knows: {known}")
    values: dict[str, SettingValue] = {}
    for spec in specs:
        if spec.name in given:
            values[spec.name] = spec.read(given[spec.name])
        elif spec.default is None:
            raise Misconfigured(f"setting {spec.name} is missing: {spec.help or 'it has no default'}")
        else:
            values[spec.name] = spec.default
    return values
