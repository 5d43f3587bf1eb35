"""Twins of power switches other than relay boards, each a small server: python -m simlab.power.NAME --port PORT ...

What is switched is printed, a JSON object a line; faults are asked for on the command line.
"""
