"""The HTTP face of Lifeguard: what devices say of themselves."""
