"""Reinforcement learning libraries, a folder each: what only they know about themselves."""
