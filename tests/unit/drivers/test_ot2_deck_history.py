"""Any sequence of planned, failed and reset runs, against a deck on which things really happen."""

from contextlib import suppress
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from hypothesis import given, settings, strategies as st

from lab2mqtt.core.errors import Refused
from lab2mqtt.drivers.ot2.deck import Deck
from lab2mqtt.drivers.ot2.deck_checks import Pipette, Reported
from lab2mqtt.drivers.ot2.deck_settings import DeckSettings, Layout
from lab2mqtt.drivers.ot2.labware import Place
from lab2mqtt.drivers.ot2.steps import Plan, Step

CELL = Reported({"right": Pipette("p300_single_gen2", 20, 300)})
SOME, DEAD = 600.0, 200.0  # µL in a vial: it is empty soon
VIALS = {
    name: told | {"volume": SOME, "dead_volume": DEAD, "liquid": name}
    for name, told in DeckSettings().vials.items()
}
DECK = DeckSettings(vials=VIALS)
LAYOUT = Layout(DECK)
PORT = Place("10", "A2")
DURING = ("go on", "go on", "succeed", "succeed", "fail", "fail", "restart")
BETWEEN = ("mix",) * 8 + ("measure", "restart", "look", "reset", "reset")


class World:
    """What is truly on the deck; a step that must not happen fails the test."""

    def __init__(self) -> None:
        self.wells: dict[Place, float] = {}
        self.vials = dict.fromkeys(LAYOUT.sources, SOME)
        self.tips: dict[Place, set[str]] = {Place("9", f"B{column}"): set() for column in (1, 2, 3)}
        self.held: tuple[Place, set[str]] | None = None  # on the pipette
        self.sensor = True  # in its port
        self.filled: set[Place] = set()  # by the run under way
        self.dispensed: set[str] = set()

    def do(self, step: Step, part: float = 1.0) -> None:
        """Do a step, or begin it and do some of it."""
        place, volume = step.place, step.volume * part
        match step.kind:
            case "pick_up":
                assert self.held is None, "a tip was picked up with something on the pipette"
                if part >= 0.5:
                    self._take(place)
            case "aspirate":
                assert self.held
                self.held[1].add(LAYOUT.sources[place].liquid)
                assert len(self.held[1]) == 1, "a tip was used for two colours"
                assert self.vials[place] - step.volume >= DEAD - 1e-6, "drawn was what is not there"
                self.vials[place] -= volume
            case "dispense":
                assert place in self.filled or not self.wells.get(place), "a used well was filled again"
                self.filled.add(place)
                self.wells[place] = self.wells.get(place, 0.0) + volume
                assert self.wells[place] <= 300 + 1e-6, "a well ran over"
            case "drop" if part >= 0.5:
                assert self.held
                self.put_back()

    def _take(self, place: Place) -> None:
        if place == PORT:
            assert self.sensor, "the sensor was not where it was taken"
            self.sensor = False
            self.held = place, set()
        else:
            assert place in self.tips, "there was no tip"
            self.held = place, self.tips.pop(place)

    def put_back(self) -> None:
        """Put back what is held."""
        if self.held:
            place, liquids = self.held
            if place == PORT:
                self.sensor = True
            else:
                self.tips[place] = liquids
            self.held = None


class History:
    """A bridge, the people about it, and what goes wrong."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.deck = Deck(DECK, self.file, new=True)
        self.world = World()
        self.reached = 0  # steps of the run that have truly succeeded
        self.runs = 0
        self.before: set[str] = set()  # experiments dispensed before the run under way

    @property
    def run(self) -> tuple[Step, ...]:
        """The steps of the run under way."""
        return self.deck.reserved.steps if self.deck.reserved else ()

    # What is wanted.

    def mix(self, carried: list[tuple[str, int, float]], well: str, experiment: str) -> None:
        """Ask for a colour, with the proper tips or any."""
        steps: list[Step] = []
        for name, column, volume in carried:
            tip = Place("9", f"B{column}") if column else Place.read(VIALS[name]["tip"])
            vial = Place.read(VIALS[name]["place"])
            drawn = Step("aspirate", vial, volume), Step("dispense", Place("1", well), volume)
            steps += [Step("pick_up", tip), *drawn, Step("drop", tip)]
        self.start(Plan(tuple(steps), experiment))

    def measure(self, well: str) -> None:
        """Ask for a measurement."""
        self.start(self.deck.measuring(well))

    def start(self, plan: Plan) -> None:
        """Start a run, where the deck lets it."""
        self.runs += 1
        with suppress(Refused):
            self.deck.reserve(plan, f"run-{self.runs}", CELL)
        self.reached, self.world.filled = 0, set()
        self.before = set(self.world.dispensed)

    # What happens.

    def happen(self, steps: int) -> None:
        """The robot goes on."""
        reserved = self.deck.reserved
        assert reserved
        for step in reserved.steps[self.reached : self.reached + steps]:
            self.begin(step)
            self.reached += 1

    def begin(self, step: Step, part: float = 1.0) -> None:
        """The robot does a step or some of it."""
        reserved = self.deck.reserved
        self.world.do(step, part)
        if step.kind in ("aspirate", "dispense") and reserved and reserved.experiment:
            assert reserved.experiment not in self.before, "an experiment was dispensed twice"
            self.world.dispensed.add(reserved.experiment)

    def go_on(self, steps: int, *, told: bool) -> None:
        """Some steps succeed, and the bridge hears of it or does not."""
        self.happen(steps)
        if told:
            self.deck.advance(self.reached)

    def succeed(self) -> None:
        """The run goes well to its end."""
        self.happen(len(self.run))
        self.deck.succeeded()
        assert self.world.held is None

    def fail(self, steps: int, part: float, *, certain: bool, drops: bool) -> None:
        """The run ends in the middle of a step; the robot throws away what it holds, or has no power."""
        reserved = self.deck.reserved
        assert reserved
        self.happen(steps)
        if self.reached < len(reserved.steps):
            self.begin(reserved.steps[self.reached], part)
        if drops:
            self.world.held = None
        self.deck.interrupted(self.reached if certain else None)

    def restart(self) -> None:
        """The bridge is killed and starts again."""
        before = self.deck.shown()
        self.deck = Deck(DECK, self.file, new=True)
        assert self.deck.shown() | {"problem": ""} == before | {"problem": ""}

    def damage_and_look(self) -> None:
        """The file is broken while no run is under way, and a person puts everything in order."""
        self.file.write_text("{")
        self.deck = Deck(DECK, self.file, new=True)
        assert self.deck.problem
        assert self.deck.faults()
        self.look()
        self.world.dispensed = set()  # forgotten, and a person is told so

    # What people do, and say.

    def look(self) -> None:
        """Put everything in order and say so."""
        self.park()
        self.new_tips(())
        self.new_plate(())
        for name in VIALS:
            self.fill(name, SOME)
        assert not self.deck.problem
        assert not self.deck.faults()

    def new_tips(self, columns: tuple[int, ...]) -> None:
        """Put in tips, and take off what hangs on the pipette where it is of those."""
        with suppress(Refused):
            wells = [f"B{column}" for column in columns]
            self.deck.reset_tips("9", wells)
            for well in wells or ("B1", "B2", "B3"):
                place = Place("9", well)
                self.world.tips[place] = set()
                if self.world.held and self.world.held[0] == place:
                    self.world.held = None

    def new_plate(self, wells: tuple[str, ...]) -> None:
        """Empty some wells, or put in a new plate."""
        with suppress(Refused):
            self.deck.reset_plate("1", wells)
            for place in [place for place in self.world.wells if not wells or place.well in wells]:
                del self.world.wells[place]

    def fill(self, name: str, volume: float) -> None:
        """Fill a vial."""
        with suppress(Refused):
            self.deck.reset_vial(name, volume)
            self.world.vials[Place.read(VIALS[name]["place"])] = volume

    def park(self) -> None:
        """Put the sensor into its port."""
        with suppress(Refused):
            self.deck.reset_sensor()
            self.world.sensor = True
            if self.world.held and self.world.held[0] == PORT:
                self.world.held = None


def colour(chance: Random) -> tuple[str, int, float]:
    """A colour, the column of a tip (0: its own), µL."""
    volume = chance.choice((20.0,) * 4 + (100.0,) * 4 + (150.0, 150.0, 280.0, 5.0))
    return chance.choice("RYB"), chance.choice((0,) * 6 + (1, 2)), volume


def act(history: History, chance: Random) -> None:
    """Somebody or something does one thing."""
    well = chance.choice(("A1",) * 5 + ("A2",) * 5 + ("H12", "Z9"))
    match chance.choice(DURING if history.run else BETWEEN):
        case "mix":
            carried = [colour(chance) for _ in range(chance.randint(1, 3))]
            history.mix(carried, well, chance.choice(["", "", *"abcd"]))
        case "measure":
            history.measure(well)
        case "go on":
            history.go_on(chance.randint(0, 8), told=chance.random() < 0.5)
        case "succeed":
            history.succeed()
        case "fail":
            certain, drops = chance.random() < 0.7, chance.random() < 0.5
            history.fail(chance.randint(0, 9), chance.random(), certain=certain, drops=drops)
        case "restart":
            history.restart()
        case "look":
            chance.choice((history.look, history.look, history.damage_and_look))()
        case "reset":
            history.park()
            history.new_tips(chance.choice(((), (1,), (2,), (3,), (1, 2, 3))))
            history.new_plate(chance.choice(((), ("A1",), ("A2", "H12"))))
            history.fill(chance.choice("RYB"), chance.choice((0.0, 250.0, 330.0, SOME)))


@settings(max_examples=60, deadline=None)
@given(chance=st.randoms(use_true_random=True))
def test_nothing_happens_that_must_not(chance: Random) -> None:
    """No well runs over, no tip meets two colours, nothing is drawn that is not there."""
    with TemporaryDirectory() as folder:
        history = History(Path(folder) / "deck.json")
        for _ in range(60):
            act(history, chance)
