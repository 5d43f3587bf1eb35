"""What an inventory elsewhere says of the devices: read it, compare it with what is stored, plan what to change."""
