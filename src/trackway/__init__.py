"""Trackway: a flight recorder for robot reinforcement learning."""

__version__ = "0.1.0"

__all__ = ["__version__"]
