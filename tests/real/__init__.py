"""Real machines under QEMU, as a lab has boards; `make test` runs one, `make test-real` all."""
