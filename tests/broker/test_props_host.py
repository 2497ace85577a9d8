"""The worker host beside workers that are wrong, hang or crash, and as a process of its environment."""

from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest
from tests.broker.brokers import Broker
from tests.broker.observer import until
from tests.broker.program import Program, run
from tests.broker.props_bench import PropsBench

from lab2mqtt.hub.ports import LOOPBACK

TICKER = """
async def start(self):
    await super().start()
    self.spawn(self.tick())

async def tick(self):
    number = 0
    while True:
        self.telemetry("tick", number)
        number += 1
        await asyncio.sleep(0.2)

async def do_ping(self, arg):
    self.telemetry("pong", arg or "ok")
"""
IMPORT = "from worker_host.base import BaseWorker\n\n"
OF_OURS = ("never retrieved", "never awaited", "could not be passed on", "led to an error")

BAD = {
    "raises": ("async def start(self):\n    raise ValueError('no such pin')\n", "ValueError: no such pin"),
    "quits": ("async def start(self):\n    raise SystemExit(3)\n", "SystemExit"),
    "unmade": ("def __init__(self, *args):\n    raise OSError('no port')\n", "OSError: no port"),
    "exits": ("class Worker:\n    pass\nraise SystemExit('no')\n", "SystemExit: no"),
    "misspelt": ("def x(:\nclass Worker: pass\n", "SyntaxError"),
    "nameless": (f"{IMPORT}class Wroker(BaseWorker): pass  # no class Worker\n", "has no class Worker"),
    "stranger": ("class Worker:\n    pass\n", "Worker is no BaseWorker"),
    "lacking": ("import no_such_module\nclass Worker: pass\n", "no_such_module"),
    "wild": (f"{IMPORT}PROP_ID = 'a/#'\nclass Worker(BaseWorker): pass\n", "PROP_ID"),
}
# A module without "class Worker" in it would be taken for the body of one.
MISDECLARED = {
    "rubbish": "entities = ('rubbish',)\n",
    "house": "from lab2mqtt.props import Sensor\nentities = (Sensor('readiness', 'Readiness'),)\n",
    "nowhere": "from lab2mqtt.props import Button\nentities = (Button('go', 'Go', task='go'),)\n",
}
ODD = """
async def do_Ping(self, arg):
    self.telemetry("pong", arg)

async def do_größe(self):
    self.telemetry("pong", "groß")

async def do_restart_worker(self):
    self.telemetry("pong", "mine")

def do_cancel(self):
    self.telemetry("pong", "cancelled")
"""


@pytest.fixture(scope="module")
def bad(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[PropsBench]:
    """A host that has every kind of bad worker, and a good one."""
    made = PropsBench(broker, tmp_path_factory.mktemp("bad"))
    made.worker("ticker", TICKER)
    for name, (body, _) in BAD.items():
        made.worker(name, body)
    for name, body in MISDECLARED.items():
        made.worker(name, f"{body}\nasync def do_ping(self, arg):\n    self.telemetry('pong', arg)\n")
    made.worker("odd", ODD)
    made.worker("yaml", TICKER, config_yaml="interval: [1\nb: 2\n")
    made.worker("json", TICKER, config_json='{"interval": 1,}')
    start = "async def start(self):\n    await super().start()\n"
    made.worker("blocking", f"{start}    time.sleep(600)\n")
    made.worker("waiting", f"{start}    await asyncio.sleep(600)\n")
    made.worker("importing", "import time\ntime.sleep(600)\nclass Worker: pass\n")
    made.worker("first", "async def do_x(self):\n    pass\n")
    made.worker("second", f"{IMPORT}PROP_ID = 'first'\n\n\nclass Worker(BaseWorker):\n    pass\n")
    with made:
        yield made
    for words in OF_OURS:
        assert words not in made.host.said()


def test_the_good_one_runs(bad: PropsBench) -> None:
    """It ticks on whatever the others do, and answers."""
    bad.until_text("ticker/telemetry/tick", "0")
    since = bad.seen.mark()
    bad.until_text("ticker/telemetry/tick", "30", within=30.0)
    ticks = bad.seen.heard(f"{bad.prefix}/ticker/telemetry/tick", since)
    gaps = [after.at - before.at for before, after in pairwise(ticks)]
    assert max(gaps) < 0.5, gaps
    bad.until_text("ticker/telemetry/pong", "x", bad.cmd("ticker", "ping x"))


@pytest.mark.parametrize("name", BAD)
def test_one_that_does_not_run(bad: PropsBench, name: str) -> None:
    """It says why: on its topic, in Home Assistant and in the log; and it is offline."""
    words = BAD[name][1]
    assert words in bad.until_words(f"{name}/status/error", "")
    bad.until_fault(name, words)
    assert words in bad.host.said()
    bad.until_text(f"{name}/availability", "offline")
    bad.until_text(f"{name}/status/availability", "offline")
    since = bad.cmd(name, "ping")
    bad.seen.barrier()
    bad.until_words(f"{name}/status/warn", "", since)
    bad.until_fault(bad.name, f"{name}: ", words)


@pytest.mark.parametrize(
    ("name", "words"), [("blocking", "start"), ("waiting", "start"), ("importing", "import")]
)
def test_one_that_hangs_at_its_start(bad: PropsBench, name: str, words: str) -> None:
    """It says what hangs, and where."""
    told = bad.until_words(f"{name}/status/error", words)
    assert words in told
    place = "" if name == "waiting" else "worker.py"  # one that waits stands in no line
    bad.until_fault(name, words, place)


@pytest.mark.parametrize(("name", "file"), [("yaml", "config.yaml"), ("json", "config.json")])
def test_a_broken_configuration(bad: PropsBench, name: str, file: str) -> None:
    """The worker runs without it, and says so."""
    bad.until_text(f"{name}/telemetry/tick", "1")
    assert file in bad.until_words(f"{name}/status/warn", "")
    assert file in bad.host.said()


@pytest.mark.parametrize("name", MISDECLARED)
def test_a_worker_that_declares_nonsense(bad: PropsBench, name: str) -> None:
    """It runs and takes commands; what it declares is not shown, and that is said."""
    assert "is not shown" in bad.until_words(f"{name}/status/error", "declares")
    bad.until_text(f"{name}/telemetry/pong", "x", bad.cmd(name, "ping x"))
    assert "do_ping" in bad.last(name, "description")["entities"]


def test_odd_names_of_actions(bad: PropsBench) -> None:
    """All are done; what is no key of Home Assistant's becomes one."""
    asked = {"Ping x": "x", "größe": "groß", "restart_worker": "mine", "cancel": "cancelled"}
    for payload, answer in asked.items():
        bad.until_text("odd/telemetry/pong", answer, bad.cmd("odd", payload))
    assert {"do_ping", "do_gr_e", "do_cancel"} <= bad.last("odd", "description")["entities"].keys()


def test_two_of_one_id(bad: PropsBench) -> None:
    """The first runs; the host says which file does not."""
    bad.until_text("first/availability", "online")
    bad.until_fault(bad.name, "second", "'first'")
    assert str(Path("second") / "backend" / "worker.py") in bad.host.said()


def test_the_end_with_some_that_hang(bad: PropsBench) -> None:
    """The host ends in time, and says ``offline`` for all."""
    since = bad.seen.mark()
    ended = bad.host.terminate()
    assert ended.code == 0
    assert ended.seconds < 3
    for name in ("ticker", "blocking", "waiting"):
        bad.until_text(f"{name}/availability", "offline", since)
        bad.until_text(f"{name}/status/availability", "offline", since)
    bad.until_text(f"{bad.name}/availability", "offline", since)


def available(word: str) -> list[tuple[str, str]]:
    """Both topics of the availability, and a word on each."""
    return [("availability", word), ("status/availability", word)]


# Its environment

PRINTS = "async def start(self):\n    await super().start()\n    self.telemetry('ran', 1)\n"


@pytest.mark.parametrize(
    ("environment", "ran"),
    [
        ({}, {"heartbeat", "show", "one", "two"}),
        ({"WORKER_DISABLE_ALL_BUILTINS": "1"}, {"one", "two"}),
        ({"WORKER_DISABLE_ALL_PROPS": "true"}, {"heartbeat", "show"}),
        ({"WORKER_BUILTINS_ALLOW": "heartbeat", "WORKER_PROPS_ALLOW": "two"}, {"heartbeat", "two"}),
        ({"WORKER_BUILTINS_DISABLE": "heartbeat , show", "WORKER_PROPS_DISABLE": "one"}, {"two"}),
        (
            {
                "WORKER_BUILTINS_ALLOW": "show",
                "WORKER_BUILTINS_DISABLE": "show",
                "WORKER_DISABLE_ALL_PROPS": "1",
                "WORKER_PROPS_ALLOW": "one",
            },
            {"show"},
        ),
        (
            {
                "WORKER_DISABLE_ALL_BUILTINS": "0",
                "WORKER_PROPS_ALLOW": "one,two",
                "WORKER_PROPS_DISABLE": "one",
            },
            {"heartbeat", "show", "one", "two"},
        ),
    ],
)
def test_which_workers_run(
    broker: Broker, tmp_path: Path, environment: dict[str, str], ran: set[str]
) -> None:
    """All off goes before those that are allowed, and these before those that are not."""
    made = PropsBench(broker, tmp_path)
    for name in ("one", "two"):
        made.worker(name, PRINTS)
    made.host = Program(made.host.command[3:], tmp_path / "host.log", environment=environment)
    with made:
        for name in ran:
            made.until_ready(name)
        until(lambda: f"{len(ran)} props under" in made.host.said(), "they are counted")
        made.seen.barrier()
        topics = [one.topic.split("/") for one in made.seen.heard()]
        said = {words[1] for words in topics if words[0] == made.prefix}
        assert said == {*ran, made.name}


def test_the_variables_of_the_broker(broker: Broker, tmp_path: Path) -> None:
    """``MQTT_HOST``, ``MQTT_PORT`` and ``MQTT_CLIENT_ID`` are enough; ``WORKER_DEBUG`` says more."""
    made = PropsBench(broker, tmp_path)
    made.worker("one", PRINTS)
    command = made.host.command[3:]
    for option in ("--broker", "--client-id"):
        at = command.index(option)
        del command[at : at + 2]
    told = {"MQTT_HOST": LOOPBACK, "MQTT_PORT": str(broker.port), "MQTT_CLIENT_ID": made.name}
    told["WORKER_DEBUG"] = "1"
    made.host = Program(command, tmp_path / "host.log", environment=told)
    with made:
        made.until_text("one/telemetry/ran", "1")
        assert " DEBUG " in made.host.said()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("MQTT_PORT", "mqtt", "MQTT_PORT 'mqtt' is not a port"),
        ("MQTT_PORT", "70000", "is not a port"),
        ("MQTT_HOST", "mqtt://broker", "MQTT_HOST"),
        ("WORKER_DEBUG", "maybe", "WORKER_DEBUG 'maybe' is not one of 1, true"),
        ("WORKER_DISABLE_ALL_PROPS", "all", "WORKER_DISABLE_ALL_PROPS"),
    ],
)
def test_a_variable_that_is_wrong(tmp_path: Path, name: str, value: str, words: str) -> None:
    """It is named, and what would be right; nothing is started."""
    said = run("props", "--root", str(tmp_path), environment={name: value})
    assert said.code == 2
    assert words in said.err
    assert "Traceback" not in said.err


def test_a_name_that_nobody_has(broker: Broker, tmp_path: Path) -> None:
    """A prop that was to be left out might run under another name: that is said."""
    made = PropsBench(broker, tmp_path, environment={"WORKER_PROPS_DISABLE": "coffin"})
    made.worker("coffins", PRINTS)
    with made:
        made.until_text("coffins/telemetry/ran", "1")
        assert "there is no prop 'coffin' (did you mean 'coffins'?)" in made.host.said()


CONFIGURED = """
async def start(self):
    await super().start()
    for key in ("plain", "secret", "missing", "unset"):
        self.telemetry(key, repr(self.resolve_config_var(key, "default")))
"""


@pytest.mark.parametrize(
    "files",
    [
        {"config_json": '{"plain": 3, "secret": "${PROP_SECRET}", "unset": "${PROP_UNSET}"}'},
        {"config_yaml": "plain: 3\nsecret: ${PROP_SECRET}\nunset: ${PROP_UNSET}\n"},
        {"config_yml": "plain: 3\nsecret: ${PROP_SECRET}\nunset: ${PROP_UNSET}\n"},
        {"config_json": '{"plain": 3, "secret": "${PROP_SECRET}"}', "config_yaml": "plain: 4\n"},
    ],
)
def test_the_configuration(broker: Broker, tmp_path: Path, files: dict[str, str]) -> None:
    """JSON goes before YAML; ``${VAR}`` is taken from the environment, and else the default counts."""
    made = PropsBench(broker, tmp_path, environment={"PROP_SECRET": "open sesame"})
    made.worker("one", CONFIGURED, **files)
    with made:
        made.until_text("one/telemetry/plain", "3")
        made.until_text("one/telemetry/secret", "'open sesame'")
        made.until_text("one/telemetry/missing", "'default'")
        made.until_text("one/telemetry/unset", "'default'")


def test_a_built_in_of_ones_own(broker: Broker, tmp_path: Path) -> None:
    """It takes the place of ours of the same name."""
    own = tmp_path / "builtins"
    own.mkdir()
    (own / "heartbeat.py").write_text(
        "from worker_host.base import BaseWorker\n\n\nclass Worker(BaseWorker):\n"
        "    async def do_ping(self, arg):\n        self.telemetry('pong', 'my own')\n"
    )
    made = PropsBench(broker, tmp_path, "--builtins", str(own))
    with made:
        made.until_ready("heartbeat")
        made.until_text("heartbeat/telemetry/pong", "my own", made.cmd("heartbeat", "ping"))


def test_a_worker_that_forgets_its_base(broker: Broker, tmp_path: Path) -> None:
    """Without ``super().start()`` and ``super().stop()`` its availability is said all the same."""
    made = PropsBench(broker, tmp_path)
    made.worker(
        "lazy",
        "async def start(self):\n    self.telemetry('ran', 1)\n\nasync def stop(self):\n    pass\n",
    )
    with made:
        for topic, word in (*available("online"), ("state", "started")):
            made.until_text(f"lazy/{topic}", word)
        since = made.seen.mark()
        made.host.terminate()
        for topic, word in (*available("offline"), ("state", "stopped")):
            made.until_text(f"lazy/{topic}", word, since)


def test_a_worker_whose_stop_hangs(broker: Broker, tmp_path: Path) -> None:
    """The host does not wait for it, and says ``offline`` for it; nothing of it goes out after that."""
    made = PropsBench(broker, tmp_path)
    made.worker(
        "clinging",
        """
        async def stop(self):
            while True:
                time.sleep(0.01)
                self.telemetry("last", "word")
        """,
    )
    made.worker(
        "stubborn",
        """
        async def start(self):
            await super().start()
            self.spawn(self.cling())

        async def cling(self):
            while True:
                try:
                    await asyncio.sleep(600)
                except asyncio.CancelledError:
                    self.telemetry("not", "I")
        """,
    )
    made.worker("good", TICKER)
    with made:
        made.until_text("good/telemetry/tick", "1")
        since = made.seen.mark()
        ended = made.host.terminate()
        assert ended.seconds < 3
        for name in ("clinging", "stubborn", "good"):
            made.until_text(f"{name}/availability", "offline", since)
        assert "worker.py" in made.host.said()  # where it hangs


def test_two_hosts_of_one_name(broker: Broker, tmp_path: Path) -> None:
    """The second ends, says why, and the first goes on."""
    made = PropsBench(broker, tmp_path)
    made.worker("one", TICKER)
    with made:
        made.until_ready("one")
        folder = tmp_path / "second"
        folder.mkdir()
        command = made.host.command[3:]
        command[command.index("--state") + 1] = str(folder)
        second = Program(command, folder / "host.log")
        second.start()
        assert second.wait(20.0) != 0
        assert made.name in second.said()
        assert "Traceback" not in second.said()
        made.until_text("one/telemetry/pong", "on", made.cmd("one", "ping on"))
        assert made.host.pid
        topic = f"{made.prefix}/{made.name}/availability"
        until(lambda: made.kept().get(topic) == b"online", "the first is online")
