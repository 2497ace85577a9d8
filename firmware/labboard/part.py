"""What is wired to a board."""


class Part:
    """A sensor or an actuator. It is given the machine's objects of its pins, and knows no pin number.

    Attributes:
        every: Milliseconds between two readings; 0: it is never read.
        safe_after: Seconds after the last sign of the broker when ``safe`` is called; None: no outputs.
        safe_words: What ``safe`` does, for people: "the servo is released".
        entities: Key → entity, as in the description.
        tasks: What it can be asked for.
    """

    every = 1000
    safe_after = None
    safe_words = ""
    entities = {}
    tasks = ()

    def read(self):
        """Measure: key → value of the state; may be a coroutine.

        Raises:
            OSError: What does not answer; the values become unknown.
        """
        return {}

    def safe(self):
        """Bring the outputs to their safe state: at once, as often as wanted, never raises."""

    def stop(self):
        """Let what moves stand, as ``safe``."""
        self.safe()
