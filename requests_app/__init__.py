"""Who gets which device, and for how long."""
