"""A robot server without a robot: what an Opentrons OT-2 answers over HTTP, its awkward parts first."""
