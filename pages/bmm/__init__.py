"""The table of devices as their hardware: power, network boot, what was last done to it."""
