"""The Opentrons OT-2: its HTTP API, its deck, its runs, and the tasks made of them."""
