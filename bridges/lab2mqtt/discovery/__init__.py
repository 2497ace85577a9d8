"""What Home Assistant is told: pure functions of a device's description."""
