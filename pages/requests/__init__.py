"""Pages of requests: the list, a new one, one with its progress, and renewing or returning several."""
