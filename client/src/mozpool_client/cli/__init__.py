"""The command `mozpool`."""
