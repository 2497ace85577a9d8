"""A board on this machine: the same firmware on MicroPython's unix port, in a world that can be changed."""
