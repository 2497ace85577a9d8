"""The device model: no input, no output, no clock, no randomness."""
