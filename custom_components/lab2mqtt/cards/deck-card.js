/** The deck of an OT-2: labware, wells, tips, the run and what may be done with it. */
import { h, registerCard, word } from "./lab.js";
import { DeviceCard, deviceCss } from "./device-card.js";
import { deckCss, drawDeck } from "./deck-drawing.js";
import { labwareIn, tipsLeft } from "./deck-places.js";
import { css } from "./deck-style.js";
import { labels, words } from "./deck-words.js";
import { icon } from "./icons.js";
import { drawGrid, gridCss } from "./labware-grid.js";
import { colourOf } from "./liquids.js";
import { openTask } from "./task-dialog.js";

class DeckCard extends DeviceCard {
  static kind = "ot2";
  static manufacturer = "Opentrons";
  static words = words;
  static css = deviceCss + deckCss + gridCss + css;

  getCardSize() {
    return 9;
  }

  content(device) {
    const { state } = device;
    if (!state?.deck) return h("p", { class: "note" }, this.word("no_deck"));
    if (this.chosen && !labwareIn(state, this.chosen.slot)) this.chosen = null;
    return [
      h(
        "div",
        { class: this.chosen ? "halves opened" : "halves" },
        h(
          "div",
          { class: "half map" },
          this.facts(state),
          drawDeck({
            state,
            chosen: this.chosen,
            title: this.word("deck_of", { name: device.name }),
            trash: this.word("trash"),
            label: (labware) => this.inWords(labware),
            choose: (slot, well) => this.choose(slot, well),
          }),
        ),
        this.chosen && this.panel(device, labwareIn(state, this.chosen.slot)),
        this.stock(state),
      ),
      this.runs(device),
      this.buttons(device),
    ];
  }

  /** Open a labware and, where one is meant, a well; the same again closes it. */
  choose(slot, well) {
    const again = this.chosen?.slot === slot && (!well || this.chosen.well === well);
    this.chosen = again ? null : { slot, well };
    this.changed();
    // Drawn in a microtask that is queued before this one; on a phone the panel lies below what is seen.
    queueMicrotask(() => this.reveal());
  }

  reveal() {
    const well = this.shadowRoot.querySelector('[aria-selected="true"]');
    (well ?? this.shadowRoot.querySelector(".panel"))?.scrollIntoView({ block: "nearest", inline: "center" });
  }

  close() {
    const { slot } = this.chosen;
    this.chosen = null;
    this.changed();
    this.shadowRoot.querySelector(`[data-slot="${slot}"]`)?.focus();
  }

  // What is known at a glance.

  facts(state) {
    const open = state.door === true;
    return h(
      "div",
      { class: "facts" },
      typeof state.door === "boolean" &&
        h("span", { class: open ? "fact warn" : "fact" }, this.word(open ? "door_open" : "door_closed")),
      state.sensor && state.sensor !== "none" && h("span", { class: "fact" }, this.word(`sensor_${state.sensor}`)),
      state.deck.hand && h("span", { class: `fact ${state.deck.hand.place ? "active" : "warn"}` }, this.hand(state.deck.hand)),
    );
  }

  hand({ place, volume }) {
    if (!place) return this.word("hand_unknown");
    return volume ? this.word("hand_liquid", { place, volume: this.number(volume) }) : this.word("hand", { place });
  }

  stock(state) {
    const all = Object.keys(state.deck.slots).map((slot) => labwareIn(state, slot));
    const racks = all.filter((one) => one.kind === "tips");
    const vials = all.flatMap((one) => one.places.filter((place) => place.vial));
    return h(
      "div",
      { key: "stock", class: "half stock" },
      h(
        "ul",
        { class: "list", "aria-label": this.word("stock") },
        racks.map((rack) =>
          h(
            "li",
            {},
            h("span", { class: "swatch tips" }),
            h("span", {}, this.word("tips_in", { slot: rack.slot })),
            h("strong", {}, this.tips(rack)),
          ),
        ),
        vials.map(({ vial, at }) =>
          h(
            "li",
            {},
            h("span", { class: "swatch", style: `background: ${colourOf(vial.liquid)}` }),
            h("span", {}, `${this.liquid(vial.liquid)} · ${at}`),
            h("strong", { class: vial.usable === 0 ? "error" : "" }, this.millilitres(vial.usable)),
          ),
        ),
      ),
      !this.chosen && h("p", { class: "quiet" }, this.word("hint")),
    );
  }

  tips(rack) {
    const { there, unknown, all } = tipsLeft(rack);
    return unknown === all ? this.word("unknown_word") : this.word("of", { there, all });
  }

  // One labware.

  panel(device, labware) {
    const { state } = device;
    const place = labware.places.find((one) => one.well === this.chosen.well);
    return h(
      "section",
      {
        key: `panel-${labware.slot}`,
        class: "half panel",
        "aria-label": this.inWords(labware),
        onkeydown: (event) => event.key === "Escape" && this.close(),
      },
      h(
        "div",
        { class: "title" },
        h("h3", {}, this.word("slot", { slot: labware.slot }), h("small", {}, this.kind(labware))),
        h("button", { class: "plain icon", "aria-label": this.word("close"), onclick: () => this.close() }, icon("cross")),
      ),
      drawGrid({
        labware,
        well: this.chosen.well,
        step: state.deck.step?.place,
        title: this.kind(labware),
        label: (one) => `${one.well}: ${this.inPlace(one)}`,
        choose: (well) => {
          this.chosen = { slot: labware.slot, well };
          this.changed();
        },
      }),
      place ? this.place(device, labware, place) : h("p", { class: "quiet" }, this.word("pick", { kind: this.what(labware) })),
      this.renewal(device, labware),
    );
  }

  place(device, labware, place) {
    const { liquids } = place;
    return h(
      "div",
      { class: "place-told", "aria-live": "polite" },
      h("p", {}, h("strong", {}, place.well), ` · ${this.inPlace(place)}`),
      liquids.length > 0 && [
        h(
          "div",
          { class: "bar", "aria-hidden": "true" },
          liquids.map((one) =>
            h("span", {
              style: `flex: ${one.volume} 0 0; background: ${colourOf(one.liquid)}`,
            }),
          ),
          place.share < 1 && h("span", { class: "rest", style: `flex: ${labware.limit - place.volume} 0 0` }),
        ),
      ],
      place.experiment && h("p", { class: "quiet" }, this.word("experiment", { id: place.experiment })),
      labware.slot === device.state.deck.plate && this.uses(device, place.well),
    );
  }

  /** The tasks that take a well, each with a form that has this one filled in. */
  uses(device, well) {
    const tasks = Object.entries(device.tasks).filter(
      ([, task]) => task.effect === "move" && task.parameters?.well?.enum?.includes(well),
    );
    if (!tasks.length) return null;
    return h(
      "div",
      { class: "uses" },
      h("p", { class: "quiet" }, this.word("use", { well })),
      h(
        "div",
        { class: "buttons" },
        tasks.map(([name]) =>
          h(
            "button",
            { key: name, class: "small", disabled: !this.idle, onclick: () => openTask(this, device, name, { well }) },
            this.taskName(name),
          ),
        ),
      ),
      !this.idle && h("p", { class: "quiet" }, this.notNow(device)),
    );
  }

  notNow(device) {
    return this.word("wait", { why: device.reasons?.[0] ?? this.word("running", { task: this.taskName(device.state.task ?? "") }) });
  }

  /** What a person says after new labware was put in. */
  renewal(device, labware) {
    const say = (task, parameters, key, values) =>
      device.tasks[task] &&
      h(
        "button",
        {
          key: key + (values?.name ?? ""),
          class: "small",
          disabled: Boolean(device.state.task),
          onclick: () =>
            this.run(task, parameters, {
              title: this.word(`${key}_title`, values),
              text: this.word(`${key}_text`, values),
              confirm: this.word(key, values),
            }),
        },
        this.word(key, values),
      );
    const { slot } = labware;
    const vials = labware.places.filter((place) => place.vial);
    return h(
      "div",
      { class: "buttons renewal" },
      labware.kind === "tips" && say("reset_tips", { slot }, "new_tips", { slot }),
      labware.kind === "wells" && !vials.length && say("reset_plate", { slot }, "new_plate", { slot }),
      vials.map(({ vial }) => say("reset_vial", { name: vial.name }, "full_vial", { name: this.liquid(vial.liquid) })),
      labware.kind === "sensor" && device.state.sensor !== "parked" && say("reset_sensor", {}, "sensor_in", {}),
    );
  }

  // The run.

  runs(device) {
    const { state } = device;
    if (!state.task && !state.run) {
      return state.last_error && h("p", { class: "quiet last" }, this.word("last_error", { error: state.last_error }));
    }
    const { percent } = device.progress ?? {};
    const done = state.progress ?? (typeof percent === "number" ? Math.round(percent) : null);
    const name = this.taskName(state.run?.task ?? state.task ?? "run");
    const told = state.step ?? device.progress?.message;
    return h(
      "div",
      { class: "run" },
      h(
        "div",
        { class: "line" },
        h("strong", {}, name),
        state.run?.total && h("span", { class: "quiet" }, this.word("step", state.run)),
        done !== null && h("span", { class: "percent" }, `${done} %`),
      ),
      h(
        "div",
        {
          class: `progress${done === null ? " endless" : ""}${state.readiness === "paused" ? " held" : ""}`,
          role: "progressbar",
          "aria-label": name,
          "aria-valuemin": 0,
          "aria-valuemax": 100,
          "aria-valuenow": done ?? false,
        },
        h("span", { style: done === null ? "" : `width: ${done}%` }),
      ),
      told && h("p", { class: "quiet" }, told),
    );
  }

  buttons(device) {
    const { state, tasks, name } = device;
    // A run that no task follows waits for a person; while a stop holds the robot, nothing goes on.
    const left = !state.task && state.run?.ours && !state.emergency_stop;
    const held = state.sensor && !["parked", "none"].includes(state.sensor);
    const button = (task, key, picture, question) =>
      tasks[task] &&
      h("button", { key: task, onclick: () => this.run(task, {}, question) }, icon(picture), this.word(key));
    const asking = (key, danger = false) => ({
      title: this.word(`${key}_title`, { name }),
      text: this.word(`${key}_text`),
      confirm: this.word(key),
      danger,
    });
    return h(
      "div",
      { class: "buttons" },
      device.reachable && [
        state.task && state.readiness !== "paused" && button("pause", "pause", "pause"),
        state.task && state.readiness === "paused" && button("resume", "resume", "play", asking("resume")),
        state.task && button("cancel", "cancel", "end", asking("cancel", true)),
        left && !held && button("resume_run", "resume_run", "play", asking("resume_run")),
        left && !held && button("stop", "end_run", "end", asking("end_run", true)),
        left && held && button("move_sensor_back", "sensor_back", "back", asking("sensor_back")),
        !state.task &&
          ["ready", "needs_homing"].includes(device.readiness) &&
          button("home", "home", "home", asking("home")),
      ],
      this.stopButton(device),
    );
  }

  // Words.

  inWords(labware) {
    const told = [this.word("slot", { slot: labware.slot }), this.kind(labware)];
    if (labware.kind === "tips") told.push(this.word("tips_left", { left: this.tips(labware) }));
    const used = labware.places.filter((place) => place.is === "filled").length;
    if (used) told.push(this.word("used", { used, all: labware.places.length }));
    return told.join(", ");
  }

  kind(labware) {
    return word(labels, this.hass.language, labware.name) === labware.name
      ? labware.name.replaceAll("_", " ")
      : word(labels, this.hass.language, labware.name);
  }

  what(labware) {
    return this.word(labware.kind === "tips" ? "a_tip" : "a_well");
  }

  inPlace(place) {
    if (place.vial) {
      const { vial } = place;
      const liquid = this.liquid(vial.liquid);
      if (vial.volume === null) return this.word("vial_unknown", { liquid });
      return this.word("vial", {
        liquid,
        volume: this.millilitres(vial.volume),
        usable: this.millilitres(vial.usable),
      });
    }
    if (place.is === "filled") {
      const each = place.liquids.map((one) => `${this.liquid(one.liquid)} ${this.number(one.volume)}`).join(", ");
      return this.word("filled", { volume: this.number(place.volume ?? 0), each });
    }
    return this.word(`is_${place.is}`);
  }

  liquid(name) {
    const known = word(words, this.hass.language, `liquid_${name}`);
    return known.startsWith("liquid_") ? name : known;
  }

  millilitres(volume) {
    return volume === null ? this.word("unknown_word") : `${this.number(volume / 1000, 2)} mL`;
  }

  number(value, digits = 1) {
    return value.toLocaleString(this.hass.language, { maximumFractionDigits: digits });
  }
}

registerCard("lab2mqtt-deck-card", DeckCard, {
  name: "OT-2 deck",
  description: "The deck of an OT-2: labware, wells, tips, and the run.",
});
