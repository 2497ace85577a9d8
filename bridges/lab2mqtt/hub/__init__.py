"""A private Home Assistant for the demo and the tests: installed, started, talked to."""
