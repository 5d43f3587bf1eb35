"""The HTTP face of Mozpool: requests, and who has which device."""
