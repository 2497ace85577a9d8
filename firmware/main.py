"""Starts the application, or what runs without it; never replaced by an update."""

from labboard import start

start.run()
