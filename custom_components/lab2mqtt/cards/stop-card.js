/**
 * The stop of a lab: one tap stops everything; releasing it is elsewhere on the card and asks.
 *
 * The button is always there, always at the same place, and always does what it can: nothing stands in its way.
 */
import { LabCard, callAction, findLab, h, moment, registerCard } from "./lab.js";
import { words } from "./stop-words.js";

const NO_ANSWER_AFTER = 3000; // ms; a stop is confirmed by the lab in a fraction of that

class StopCard extends LabCard {
  static words = words;
  static css = `
    ha-card { gap: 14px; }
    .top { display: flex; align-items: center; justify-content: space-between; gap: 8px 12px; flex-wrap: wrap; }
    .state { display: inline-flex; align-items: center; gap: 8px; padding: 4px 12px; border-radius: 14px; font-weight: 500;
      background: color-mix(in srgb, var(--tone) 16%, transparent); }
    .state::before { content: ""; width: 10px; height: 10px; border-radius: 50%; background: var(--tone); }
    .released { --tone: var(--success-color, #43a047); }
    .stopping { --tone: var(--warning-color, #ffa600); }
    .stopped { --tone: var(--error-color, #db4437); }
    .unknown { --tone: var(--disabled-color, #9e9e9e); }
    .stopping.state::before { animation: blink 0.8s steps(2, jump-none) infinite; }
    @keyframes blink { to { opacity: 0.15; } }
    button.stop { display: flex; align-items: center; justify-content: center; gap: 16px; width: 100%; min-height: 128px;
      flex: 1 0 auto; border: none; border-radius: 20px; background: #c62828; color: #fff; font-size: 2rem; font-weight: 700;
      letter-spacing: 0.06em; box-shadow: inset 0 -6px 0 rgb(0 0 0 / 22%), 0 2px 6px rgb(0 0 0 / 25%); transition: transform 0.06s;
      -webkit-tap-highlight-color: transparent; touch-action: manipulation; }
    button.stop:active { transform: translateY(3px); box-shadow: inset 0 -2px 0 rgb(0 0 0 / 22%); }
    button.stop:focus-visible { outline: 4px solid var(--primary-text-color); outline-offset: 3px; }
    button.stop svg { width: 56px; height: 56px; flex: none; }
    .engaged button.stop { background: #8e1c1c; }
    .cut button.stop { background: #6b5a5a; }
    .box { display: flex; flex-direction: column; gap: 6px; padding: 12px 14px; border-radius: 12px; overflow-wrap: anywhere;
      border-inline-start: 5px solid var(--tone); background: color-mix(in srgb, var(--tone) 10%, transparent); }
    .box strong { font-weight: 600; }
    .box ul { margin: 0; padding-inline-start: 20px; }
    .reset { display: flex; justify-content: flex-end; align-items: center; gap: 4px 12px; flex-wrap: wrap; }
    .row { display: flex; justify-content: space-between; align-items: center; gap: 4px 12px; flex-wrap: wrap; }
  `;

  looked = new WeakSet(); // what a person has looked at already; on this page

  static getConfigForm() {
    return {
      schema: [
        { name: "title", selector: { text: {} } },
        { name: "lab", selector: { config_entry: { integration: "lab2mqtt" } } },
      ],
    };
  }

  static getStubConfig() {
    return {};
  }

  get shown() {
    return findLab(this.lab, this.config.lab);
  }

  get devices() {
    const entry = this.shown?.entry_id;
    return [...this.lab.devices.values()].filter((one) => one.entry_id === entry);
  }

  /** Why a stop from here would reach nobody, or null. */
  get cut() {
    if (!this.lab.linked || this.hass.connected === false) return "cut_hub";
    if (this.shown && !this.shown.connected) return "cut_broker";
    if (!this.shown && (this.lab.ready || this.lab.missing)) return "cut_lab";
    return null;
  }

  render() {
    const lab = this.shown;
    const { cut } = this;
    const state = lab && !cut ? lab.stop.word : "unknown";
    return h("ha-card", { class: cut ? "cut" : lab?.stop.engaged ? "engaged" : "" }, [
      h("div", { class: "top" }, [
        h("h2", {}, this.config.title ?? lab?.title ?? this.word("lab")),
        h("span", { class: `state ${state}`, role: "status" }, this.word(state)),
      ]),
      h("button", { class: "stop", key: "stop", onclick: this.press, "aria-describedby": "what" }, [sign(), this.word("stop")]),
      cut && h("div", { class: "box stopped", role: "alert", key: "cut" }, [
        h("strong", {}, this.word("cannot")),
        h("p", {}, this.word(cut)),
      ]),
      this.problem && h("div", { class: "box stopped", role: "alert", key: "problem" }, this.problem),
      !cut && (lab?.stop.engaged ? this.engaged(lab) : h("p", { class: "quiet", id: "what", key: "what" }, this.word("what"))),
      lab && !cut && !lab.stop.engaged ? this.afterwards() : null,
    ]);
  }

  engaged(lab) {
    const { stop } = lab;
    const waits = stop.unconfirmed;
    return [
      h("div", { class: `box ${stop.word}`, key: "engaged" }, [
        h("strong", {}, this.word(waits.length ? "waits" : "stands")),
        waits.length > 0 && [h("ul", {}, waits.map((name) => h("li", { key: name }, name))), h("p", {}, this.word("waits_do"))],
        h("p", {}, this.word("by", { by: stop.by || "?", since: moment(this.hass, stop.timestamp) })),
        stop.reason && h("p", {}, this.word("reason", { reason: stop.reason })),
      ]),
      h("div", { class: "reset", key: "reset" }, h("button", { onclick: this.reset }, this.word("reset"))),
    ];
  }

  /** What still holds a device after the lab's stop was released, and what must be homed or looked at. */
  afterwards() {
    const held = this.devices.filter((one) => one.state.emergency_stop === true && one.reachable);
    const todo = this.devices.map((one) => [one, this.toDo(one)]).filter(([, what]) => what.length);
    return [
      held.length > 0 && h("div", { class: "box stopping", key: "held" }, [
        h("strong", {}, this.word("held")),
        held.map((one) => h("div", { class: "row", key: one.device_id }, [
          h("span", {}, one.name),
          h("button", { prop: { device: one }, onclick: this.resetOne }, this.word("reset_one")),
        ])),
      ]),
      todo.length > 0 && h("div", { class: "box stopping", key: "todo" }, [
        h("strong", {}, this.word("todo")),
        h("ul", {}, todo.map(([one, what]) => h("li", { key: one.device_id }, `${one.name}: `, what))),
        todo.some(([one]) => one.after_stop) && h("div", { class: "reset" }, h("button", { onclick: this.look }, this.word("looked"))),
      ]),
    ];
  }

  toDo(device) {
    const after = this.looked.has(device.after_stop) ? {} : device.after_stop ?? {};
    const homing = device.readiness === "needs_homing" || (after.needs_homing?.length && device.readiness !== "ready");
    return [homing && `${this.word("home")} `, after.look_at && sentence(after.look_at)].filter(Boolean);
  }

  look = () => {
    for (const { after_stop: after } of this.devices) if (after) this.looked.add(after);
    this.changed();
  };

  press = async () => {
    const named = this.shown ? { lab: this.shown.entry_id } : {};
    const before = this.shown?.stop.stop_id;
    this.problem = null;
    const late = setTimeout(() => {
      if (this.shown?.stop.stop_id !== before) return;
      this.problem = this.word("no_answer");
      this.changed();
    }, NO_ANSWER_AFTER);
    const answer = await callAction(this.hass, "emergency_stop", { ...named, reason: this.config.reason ?? this.word("card") });
    clearTimeout(late);
    this.problem = answer.ok ? null : `${this.word("failed")} ${answer.error}`;
    this.changed();
  };

  reset = async () => {
    const lab = this.shown;
    const waits = lab.stop.unconfirmed;
    const sure = await this.ask({
      title: this.word("reset_title"),
      text: [
        waits.length > 0 && this.word("reset_unconfirmed", { devices: waits.join(", ") }),
        this.word("reset_text"),
      ],
      confirm: this.word("reset_now"),
    });
    if (sure) await this.letGo({ lab: lab.entry_id });
  };

  resetOne = async (event) => {
    const { device } = event.currentTarget;
    const sure = await this.ask({
      title: this.word("reset_one_title", { device: device.name }),
      text: this.word("reset_text"),
      confirm: this.word("reset_now"),
    });
    if (sure) await this.letGo({ device: [device.registry_id ?? device.device_id] });
  };

  async letGo(what) {
    const answer = await callAction(this.hass, "reset_emergency_stop", what);
    this.problem = answer.ok ? null : answer.error;
    this.changed();
  }

  getCardSize() {
    return 5;
  }
}

function sign() {
  return h("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, [
    h("path", { d: "M8 2h8l6 6v8l-6 6H8l-6-6V8z", fill: "none", stroke: "currentColor", "stroke-width": "1.6", "stroke-linejoin": "round" }),
    h("path", { d: "M9 9h6v6H9z", fill: "currentColor" }),
  ]);
}

/** A text with a full stop; what stands in `backticks` is a task's name. */
function sentence(text) {
  const ended = /[.!?]$/.test(text) ? text : `${text}.`;
  return ended.split("`").map((part, index) => (index % 2 ? h("code", {}, part) : part));
}

registerCard("lab2mqtt-stop-card", StopCard, {
  name: "Lab stop",
  description: "Stops every device of a lab with one tap; tells who has confirmed.",
});
