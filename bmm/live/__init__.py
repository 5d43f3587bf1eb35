"""The live image kit: what a device runs that was booted to be installed, tested or repaired. It knows no Django."""
