"""What state a device is in, and what comes next."""
