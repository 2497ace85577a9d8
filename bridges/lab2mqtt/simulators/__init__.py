"""One per instrument, at the instrument's own interface, so that the real driver runs."""
