"""A package."""
VERSION = "1"
