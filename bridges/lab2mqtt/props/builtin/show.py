"""The show runner: plays a timed list of cues over props and any other device."""

import asyncio
from typing import Any

from lab2mqtt import wire
from lab2mqtt.core.entities import AnyEntity
from lab2mqtt.core.errors import Misconfigured, Refused, Unreachable
from lab2mqtt.core.parameters import Parameter, Schema
from lab2mqtt.props import BaseWorker, Button, Sensor, Switch, TextInput, action
from lab2mqtt.props.shows.cues import Cue
from lab2mqtt.props.shows.folder import Shows, load_shows
from lab2mqtt.props.shows.player import STATES, Player
from lab2mqtt.props.ties import Ties

TELL_EVERY = 1.0  # s, while a show plays

_CONFIG = Schema(
    (
        Parameter(
            name="shows",
            type="array",
            required=False,
            items=Parameter(name="shows", type="string", shortest=1),
        ),
    ),
    "the show runner",
)
_ENTITIES: tuple[AnyEntity, ...] = (
    Sensor("show", "Show", icon="mdi:theater"),
    Sensor("cue", "Cue", icon="mdi:numeric"),
    Sensor("cues", "Cues", icon="mdi:format-list-numbered", category="diagnostic"),
    Sensor("next_cue", "Next cue", icon="mdi:skip-next"),
    Sensor("next_in", "Next cue in", unit="s", device_class="duration", state_class="none", precision=0),
    Sensor("position", "Position", unit="s", device_class="duration", state_class="none", precision=0),
    Sensor("round", "Round", icon="mdi:counter"),
    TextInput("jump", "Jump to cue", task="jump", parameter="cue", icon="mdi:skip-forward"),
    Switch("loop", "Loop", task="loop", parameter="on", icon="mdi:repeat"),
)


class Worker(BaseWorker):
    """Plays shows: files of ``shows/`` beside the props, and those in ``shows:`` of its configuration.

    A show moves what its cues name, and nothing by itself: after an emergency stop it stays stopped.
    """

    name = "Show"
    product = "Show runner"
    icon = "mdi:drama-masks"
    states = STATES
    entities = _ENTITIES

    def __init__(self, prop_id: str, mqtt: Ties, config: Any = None) -> None:  # noqa: ANN401 - as in the base
        """Read the shows."""
        super().__init__(prop_id, mqtt, config)
        self._player = Player(self._fire, self._say, self.status)
        self._said: dict[str, object] = {}
        self._said_state = ""
        _, self._wrong_config = _CONFIG.problems(self.config)
        self._shows = self._load()
        plays: list[AnyEntity] = [
            Button(
                f"play_{name}", f"Play {show.title}", task="play", parameters={"show": name}, icon="mdi:play"
            )
            for name, show in self._shows.right.items()
        ]
        self.entities = (*_ENTITIES, *plays)

    def _load(self) -> Shows:
        more = () if self._wrong_config else self.config.get("shows", ())
        return load_shows(self.mqtt.root, more, self.prop_id)

    # Its life

    async def start(self) -> None:
        """Say what can be played, and what cannot."""
        await super().start()
        for text in (*self._wrong_config.values(), *self._shows.wrong.values()):
            self.status("warn", text)
        self._say()
        self.spawn(self._say_often())

    async def stop(self) -> None:
        """End the show."""
        self._player.stop()
        await super().stop()

    async def on_emergency_stop(self) -> None:
        """End the show for good; what its cues have moved has a stop of its own."""
        if asyncio.get_running_loop() is self.mqtt.loop:
            self._player.stop()
        else:  # this worker's loop hangs; while stopped it fires nothing anyway
            self.mqtt.loop.call_soon_threadsafe(self._player.stop)

    # Its actions

    @action(entity=False)  # each show has a button
    async def do_play(self, show: str = "", cue: object = 1) -> dict[str, object]:
        """Play a show, from its beginning or a cue on.

        Args:
            show: Which; may be left out where there is only one.
            cue: The cue's number or name.

        Returns:
            ``show`` and ``cue``, with which it begins.
        """
        if self._player.is_on:
            raise Refused(
                f"{self._playing} is {self._player.state}: stop it first, or jump", wire.NOT_ALLOWED
            )
        played = self._shows.get(show)
        place = played.place(cue)
        self._player.play(played, place)
        return {"show": played.name, "cue": place + 1}

    @action(effect="stop", icon="mdi:pause")
    async def do_pause(self) -> None:
        """Hold the show; what a cue has begun goes on."""
        self._needs_show("pause")
        self._player.pause()

    @action(icon="mdi:play-pause")
    async def do_resume(self) -> None:
        """Go on with the show that is paused."""
        self._needs_show("resume")
        self._player.resume()

    async def do_jump(self, cue: object) -> None:
        """Go on with a cue, and fire nothing between.

        Args:
            cue: Its number or name.
        """
        self._needs_show("jump")
        if self._player.show:
            self._player.jump(self._player.show.place(cue))

    @action(effect="stop", name="End show", icon="mdi:stop")
    async def do_stop(self) -> None:
        """End the show; what a cue has begun ends by itself."""
        self._player.stop()

    @action(effect="set", icon="mdi:reload")
    async def do_reload(self) -> list[str]:
        """Read the shows anew; one that plays goes on as it was.

        Returns:
            The names of all shows.
        """
        self._shows = await asyncio.to_thread(self._load)
        if self._shows.wrong:
            raise Misconfigured("\n".join(self._shows.wrong.values()))
        return sorted(self._shows.right)

    @action(effect="set")
    async def do_loop(self, *, on: bool) -> None:
        """Repeat the show that plays without end, or let this round be its last.

        Args:
            on: Whether it is repeated.
        """
        self._needs_show("loop")
        if on and self._player.show and not self._player.show.can_loop:
            raise Refused(f"{self._playing} is too short to be repeated: add `length:`, seconds of a round")
        self._player.repeat(on=on)

    def _needs_show(self, word: str) -> None:
        if not self._player.is_on:
            raise Refused(f"nothing plays: {word} is for a show that plays or is paused", wire.NOT_ALLOWED)

    @property
    def _playing(self) -> str:
        return self._player.show.name if self._player.show else "none"

    # What the player asks for

    async def _fire(self, cue: Cue) -> None:
        if why := self.stopped:
            raise Refused(why, wire.EMERGENCY_STOPPED)
        if not cue.by_call:
            if not self.command(cue.target, cue.action, cue.args):
                raise Refused("it was not sent: an emergency stop is engaged", wire.EMERGENCY_STOPPED)
            return
        try:
            await self.mqtt.call(cue.target, cue.action, cue.args or {}, cue.within)
        except Unreachable as error:
            topic = f"{self.mqtt.prefix}/{cue.target}/cmd"
            raise Unreachable(f"{error}; if {cue.target} knows {topic} only, add `via: cmd`") from error

    def _say(self) -> None:
        player = self._player
        show, following = player.show, player.next_cue
        values: dict[str, object] = {
            "show": show.name if show else "none",
            "cue": player.fired,
            "cues": len(show.cues) if show else 0,
            "next_cue": following.title if following else "end" if player.is_on else "none",
            "next_in": round(max(0.0, player.next_at - player.position), 1) if player.is_on else 0.0,
            "position": round(player.position, 1),
            "round": player.round,
            "loop": player.is_on and player.repeats,
        }
        for key, value in values.items():
            if self._said.get(key) != value:
                self.telemetry(key, value)
        self._said = values
        if player.state != self._said_state:
            self._said_state = player.state
            self.publish_state(player.state, retain=True)

    async def _say_often(self) -> None:
        while True:
            await asyncio.sleep(TELL_EVERY)
            if self._player.goes:
                self._say()
