"""Figures of runs that can be printed as they are."""
