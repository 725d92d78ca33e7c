"""The reference training: a Unitree Go1 that learns to walk, recorded by Trackway."""
