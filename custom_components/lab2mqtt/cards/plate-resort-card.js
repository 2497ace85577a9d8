/** A plate resort: the carousel seen from above, and the rooms of the hotel that is chosen. */
import { h, registerCard } from "./lab.js";
import { DeviceCard, deviceCss } from "./device-card.js";
import { carouselCss, drawCarousel } from "./carousel-drawing.js";
import { icon } from "./icons.js";
import { words } from "./plate-resort-words.js";
import { openTask } from "./task-dialog.js";

const MOST_ROOMS = 60; // drawn with the empty ones; of more only those with a plate

class PlateResortCard extends DeviceCard {
  static kind = "plate_resort";
  static manufacturer = "ROBOTIS";
  static words = words;
  static css = deviceCss + carouselCss + css();

  getCardSize() {
    return 7;
  }

  content(device) {
    const { state } = device;
    if (!state?.hotels) return h("p", { class: "note" }, this.word("no_hotels"));
    if (this.chosen && !state.hotels[this.chosen]) this.chosen = null;
    const turned = this.turn(state.position);
    return [
      h(
        "div",
        { class: "halves" },
        h(
          "div",
          { class: "half" },
          drawCarousel({
            hotels: state.hotels,
            rooms: state.rooms,
            turned,
            active: state.active_hotel,
            chosen: this.chosen,
            target: this.target(state),
            title: this.word("carousel_of", { name: device.name }),
            opening: this.word("opening"),
            label: (name, hotel) => this.inWords(state, name, hotel),
            choose: (name) => this.choose(name),
          }),
          this.position(state),
        ),
        this.chosen ? this.rooms(device, this.chosen) : this.plates(state),
      ),
      this.buttons(device),
    ];
  }

  /** How far the drawing is turned: by the way from the last position that is the shorter one. */
  turn(position) {
    if (typeof position !== "number") return this.turned ?? 0;
    const way = this.turned === undefined ? position : ((((position - this.turned) % 360) + 540) % 360) - 180;
    this.turned = this.turned === undefined ? position : this.turned + way;
    return this.turned;
  }

  target(state) {
    return state.moving && typeof state.target === "number" ? state.target : null;
  }

  choose(name) {
    this.chosen = this.chosen === name ? null : name;
    this.changed();
    queueMicrotask(() => this.showTaken());
  }

  close() {
    const name = this.chosen;
    this.chosen = null;
    this.changed();
    this.shadowRoot.querySelector(`[data-hotel="${CSS.escape(name)}"]`)?.focus();
  }

  /** Where the list of rooms is longer than its place, show the highest plate. */
  showTaken() {
    const level = this.shadowRoot.querySelector(".level.taken");
    if (level) level.parentElement.scrollTop = level.offsetTop - level.parentElement.offsetTop - 60;
  }

  position(state) {
    const where = state.moving
      ? this.word("turns")
      : state.active_hotel
        ? this.word("faces", { hotel: state.active_hotel })
        : this.word("between");
    const angle = typeof state.position === "number" ? ` · ${this.degrees(state.position)}` : "";
    return h(
      "p",
      { class: "where" },
      h("span", { "aria-live": "polite" }, where),
      h("span", { class: "quiet" }, angle),
      state.torque === false && h("span", { class: "quiet" }, ` · ${this.word("loose")}`),
    );
  }

  degrees(angle) {
    return `${angle.toLocaleString(this.hass.language, { minimumFractionDigits: 1, maximumFractionDigits: 1 })}°`;
  }

  inWords(state, name, hotel) {
    const told = [this.word("hotel", { hotel: name }), this.count(state, hotel)];
    if (state.active_hotel === name) told.push(this.word("at_opening"));
    return told.join(", ");
  }

  count(state, hotel) {
    return this.word(hotel.count === 1 ? "plate_in" : "plates_in", { count: hotel.count, rooms: state.rooms ?? "?" });
  }

  // Plates.

  /** Every plate, with the way to fetch it. */
  plates(state) {
    const all = Object.entries(state.hotels).flatMap(([hotel, { angle, plates }]) =>
      Object.entries(plates ?? {}).map(([room, plate]) => ({ hotel, angle, room, plate })),
    );
    return h(
      "div",
      { key: "plates", class: "half" },
      all.length > 0 && h("h3", {}, this.word("plates")),
      all.length > 0 &&
        h(
          "ul",
          { class: "list" },
          all.map(({ hotel, angle, room, plate }) =>
            h(
              "li",
              { key: `${hotel} ${room}` },
              h("span", { class: "place" }, `${hotel} ${room}`),
              h("strong", {}, plate),
              angle === null
                ? h("span", { class: "quiet" }, this.word("gone"))
                : this.fetch(plate, state.active_hotel === hotel),
            ),
          ),
        ),
      h("p", { class: "quiet" }, this.word(all.length || state.plates ? "hint" : "no_plates")),
    );
  }

  /** The button that turns a plate's hotel to the opening. */
  fetch(plate, there) {
    if (there) return h("span", { class: "quiet" }, this.word("there"));
    const { tasks } = this.device;
    return (
      tasks.activate_plate &&
      h(
        "button",
        {
          class: "plain",
          disabled: !this.idle,
          "aria-label": this.word("fetch_plate", { plate }),
          onclick: () =>
            this.run("activate_plate", { plate }, {
              title: this.word("fetch_title", { plate }),
              text: this.word("moves"),
              confirm: this.word("fetch"),
            }),
        },
        this.word("fetch"),
      )
    );
  }

  rooms(device, name) {
    const { state } = device;
    const hotel = state.hotels[name];
    return h(
      "section",
      {
        key: `rooms-${name}`,
        class: "half panel",
        "aria-label": this.inWords(state, name, hotel),
        onkeydown: (event) => event.key === "Escape" && this.close(),
      },
      h(
        "div",
        { class: "title" },
        h("h3", {}, this.word("hotel", { hotel: name }), h("small", {}, this.count(state, hotel))),
        h("button", { class: "plain icon", "aria-label": this.word("close"), onclick: () => this.close() }, icon("cross")),
      ),
      this.turnTo(device, name),
      hotel.plates === null ? h("p", { class: "quiet" }, this.word("too_many")) : this.levels(device, name, hotel),
    );
  }

  /** What a tap on a hotel is for: turning it to the opening; or why that cannot be now. */
  turnTo(device, name) {
    const { state } = device;
    if (state.active_hotel === name) return h("p", { class: "good there" }, this.word("stands_there"));
    if (!device.tasks.activate_hotel?.parameters?.hotel?.enum?.includes(name)) return null;
    return [
      h(
        "button",
        {
          key: "turn",
          class: "primary turn",
          disabled: !this.idle,
          onclick: () => this.run("activate_hotel", { hotel: name }),
        },
        icon("turn"),
        this.word("turn_to", { hotel: name }),
      ),
      !this.idle && h("p", { class: "quiet" }, this.notNow(device)),
    ];
  }

  notNow(device) {
    if (!device.reachable) return this.word("wait", { why: this.word("away") });
    return this.word("wait", { why: device.reasons?.[0] ?? this.taskName(device.state.task ?? device.readiness) });
  }

  /** The rooms as they stand over each other, the highest on top. */
  levels(device, name, hotel) {
    const { state, tasks } = device;
    const many = (state.rooms ?? 0) > MOST_ROOMS;
    const numbers = many
      ? Object.keys(hotel.plates).map(Number)
      : Array.from({ length: state.rooms ?? 0 }, (_, index) => index + 1);
    return h(
      "ol",
      { class: "levels", reversed: true, "aria-label": this.word("rooms", { hotel: name }) },
      numbers
        .sort((one, other) => other - one)
        .map((room) => {
          const plate = hotel.plates[room];
          const known = this.word(plate ? "room_of" : "room_empty", { room, plate });
          return h(
            "li",
            { key: room, class: plate ? "level taken" : "level" },
            h("span", { class: "number", "aria-hidden": "true" }, `${room}`),
            tasks[plate ? "remove_plate" : "place_plate"]
              ? h(
                  "button",
                  {
                    "aria-label": known,
                    title: known,
                    onclick: () => (plate ? this.takeOut(plate) : openTask(this, device, "place_plate", { hotel: name, room })),
                  },
                  plate ?? "",
                )
              : h("span", { class: "shelf" }, plate ?? ""),
          );
        }),
    );
  }

  takeOut(plate) {
    return this.run("remove_plate", { plate }, {
      title: this.word("out_title", { plate }),
      text: this.word("out_text"),
      confirm: this.word("out"),
    });
  }

  buttons(device) {
    const { state, tasks, name } = device;
    const button = (task, key, picture, question) =>
      tasks[task] &&
      h("button", { key: task, onclick: () => this.run(task, {}, question) }, icon(picture), this.word(key));
    const asking = (key) => ({
      title: this.word(`${key}_title`, { name }),
      text: this.word(`${key}_text`),
      confirm: this.word(key),
    });
    const paused = state.readiness === "paused";
    return h(
      "div",
      { class: "buttons" },
      device.reachable && [
        state.task && !paused && button("pause", "pause", "pause"),
        state.task && paused && button("resume", "resume", "play", asking("resume")),
        state.task && button("cancel", "cancel", "end"),
        !state.task &&
          ["ready", "needs_homing"].includes(device.readiness) &&
          button("go_home", "home", "home", asking("home")),
      ],
      this.stopButton(device),
    );
  }
}

function css() {
  return `
  @container (min-width: 620px) { .halves { grid-template-columns: minmax(0, 1fr) minmax(0, 1fr); gap: 20px; } }
  .where { text-align: center; font-variant-numeric: tabular-nums; }
  .list { margin: 0; padding: 0; list-style: none; }
  .list li { display: flex; align-items: center; gap: 12px; min-height: 44px; }
  .list li + li { border-top: 1px solid var(--divider-color); }
  .list .place { min-width: 3.5em; color: var(--secondary-text-color); }
  .list button { padding: 8px 10px; margin-inline-end: -10px; }
  .list strong { flex: 1; min-width: 0; font-weight: 500; overflow-wrap: anywhere; }
  .turn { display: inline-flex; align-items: center; justify-content: center; gap: 8px; }
  .there { padding: 8px 12px; border-radius: 8px; background: color-mix(in srgb, var(--tone) 18%, transparent); }
  .levels { margin: 0; padding: 4px; list-style: none; display: flex; flex-direction: column; gap: 3px; max-height: min(500px, 70vh);
    overflow-y: auto; scrollbar-width: thin; }
  .level { display: flex; align-items: center; gap: 8px; }
  .level .number { width: 2em; flex: none; text-align: end; font-size: 0.85rem; color: var(--secondary-text-color);
    font-variant-numeric: tabular-nums; }
  .level > button, .level > .shelf { all: unset; box-sizing: border-box; flex: 1; min-width: 0; min-height: 21px; padding: 0 12px;
    display: flex; align-items: center; cursor: pointer; overflow-wrap: anywhere;
    border-bottom: 2px solid var(--divider-color); }
  @media (pointer: coarse) { .level > button { min-height: 44px; } }
  .level.taken > button, .level.taken > .shelf { background: var(--primary-color); color: var(--text-primary-color, #fff); border: none;
    border-radius: 4px; font-weight: 500; }
  .level > button:focus-visible { outline: 3px solid var(--primary-color); outline-offset: 2px; }
  @media (hover: hover) { .level > button:hover { background: color-mix(in srgb, var(--primary-color) 18%, transparent); }
    .level.taken > button:hover { background: var(--primary-color); filter: brightness(1.08); } }
`;
}

registerCard("lab2mqtt-plate-resort-card", PlateResortCard, {
  name: "Plate resort",
  description: "The carousel of a plate resort seen from above, and the plates in its rooms.",
});
