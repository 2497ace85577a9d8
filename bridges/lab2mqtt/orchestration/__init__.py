"""Devices called from scripts by name, as the older orchestration scripts did."""
