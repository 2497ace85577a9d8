"""Shows: timed lists of cues over props and any other device."""
