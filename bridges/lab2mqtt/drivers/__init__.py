"""One file per instrument: a plain class that speaks its language, and never MQTT."""
