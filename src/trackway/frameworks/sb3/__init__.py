"""Stable-Baselines3: its environments, learners and callbacks as Trackway needs them."""
