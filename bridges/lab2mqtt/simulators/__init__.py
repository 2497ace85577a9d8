"""One per instrument, at the instrument's own interface, so that the real driver runs."""

# The variable that holds the command line of the process with the real opentrons package.
OPENTRONS = "LAB2MQTT_OPENTRONS"
