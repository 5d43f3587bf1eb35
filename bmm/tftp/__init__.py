"""A read-only TFTP server for labs without one: what boot loaders ask for, and nothing else. It knows no Django."""
