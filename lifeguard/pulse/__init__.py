"""The loops of some racks: what is due is rung for, and done here only where no worker comes.

Needs no broker. Any number of pulses may run over the same racks: each thing done is a conditional UPDATE.
"""
