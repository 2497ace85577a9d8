"""The only place with tasks, clocks, files and a broker."""
