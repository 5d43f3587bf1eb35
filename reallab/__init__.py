"""A lab of real machines under QEMU: each boots from the network, is installed and answers, as a board would.

`make reallab` and tests/real run it. Production imports nothing of it.
"""
