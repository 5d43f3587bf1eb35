"""What runs inside a measured process: these modules may import Django, the rest of the benches may not."""
