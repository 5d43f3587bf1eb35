"""What people see: real browsers on real pages, over a pool that real processes run."""
