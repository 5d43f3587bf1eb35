"""The table of devices as Lifeguard sees them, and its filters, which the hardware page shares."""
