"""Runs handed on to other programs' formats, and taken from them."""
