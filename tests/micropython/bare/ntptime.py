"""The clock of the unix port is right."""


def simulated():
    pass
