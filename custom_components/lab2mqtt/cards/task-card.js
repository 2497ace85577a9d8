/** A form for a task of a device, made from its description: runs it, tells how far it is and what came out. */
import { LabCard, callAction, h, registerCard, runTask, word } from "./lab.js";
import { readiness } from "./device-words.js";
import { field, start, valueOf } from "./task-fields.js";
import { codes, words } from "./task-words.js";

// Every device has these; they have buttons of their own.
const HOUSE = new Set(["cancel", "pause", "resume", "emergency_stop", "reset_emergency_stop", "reserve", "release",
  "set_maintenance", "get_history"]);

const EFFECTS = ["move", "set", "stop", "read"];

class TaskCard extends LabCard {
  static words = words;
  static css = `
    form { display: flex; flex-direction: column; gap: 16px; }
    .fields { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(220px, 100%), 1fr)); gap: 14px 16px; }
    .field { display: flex; flex-direction: column; gap: 6px; min-width: 0; border: 0; padding: 0; margin: 0; }
    .wide { grid-column: 1 / -1; }
    label, legend { font-weight: 500; font-size: 0.95rem; }
    .optional { font-weight: 400; color: var(--secondary-text-color); }
    .help { color: var(--secondary-text-color); font-size: 0.85rem; line-height: 1.35; overflow-wrap: anywhere; }
    .box { display: flex; align-items: center; gap: 8px; }
    input, select, textarea { width: 100%; min-height: 44px; padding: 8px 12px; border-radius: 10px;
      border: 1px solid var(--outline-color, var(--divider-color)); background: color-mix(in srgb, var(--primary-text-color) 5%, var(--card-background-color));
      color: var(--primary-text-color); color-scheme: inherit; }
    select option { background: var(--card-background-color); color: var(--primary-text-color); }
    textarea { min-height: 88px; font-family: var(--code-font-family, monospace); resize: vertical; }
    input[type="checkbox"] { width: 24px; min-height: 24px; height: 24px; accent-color: var(--primary-color); }
    .check { min-height: 44px; display: flex; align-items: center; gap: 12px; }
    .unit { color: var(--secondary-text-color); flex: none; }
    input:user-invalid, textarea:user-invalid { border-color: var(--error-color); }
    .actions { display: flex; gap: 12px; flex-wrap: wrap; align-items: center; }
    .actions .primary { flex: 1 1 140px; }
    .now, .outcome { display: flex; flex-direction: column; gap: 8px; padding: 12px 14px; border-radius: 12px; overflow-wrap: anywhere;
      border-inline-start: 5px solid var(--tone); background: color-mix(in srgb, var(--tone) 10%, transparent); }
    .now { --tone: var(--primary-color); }
    .good { --tone: var(--success-color, #43a047); }
    .bad { --tone: var(--error-color, #db4437); }
    progress { width: 100%; height: 8px; border: none; border-radius: 4px; overflow: hidden; appearance: none; accent-color: var(--primary-color);
      background: color-mix(in srgb, var(--primary-color) 22%, transparent); }
    progress::-webkit-progress-bar { background: transparent; }
    progress::-webkit-progress-value { background: var(--primary-color); border-radius: 4px; }
    progress::-moz-progress-bar { background: var(--primary-color); border-radius: 4px; }
    .line { display: flex; justify-content: space-between; align-items: baseline; gap: 12px; }
    dl { display: grid; grid-template-columns: auto 1fr; gap: 4px 16px; margin: 0; }
    dt { color: var(--secondary-text-color); }
    dd { margin: 0; overflow-wrap: anywhere; text-align: end; }
    pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: 0.85rem; max-height: 240px; overflow: auto; }
    code { font-size: 0.85rem; color: var(--secondary-text-color); }
    .reasons { margin: 0; padding-inline-start: 18px; color: var(--secondary-text-color); font-size: 0.9rem; }
  `;

  static getConfigForm() {
    const label = (key) => word(words, document.documentElement.lang, `form_${key}`);
    return {
      schema: [
        { name: "device", selector: { device: { filter: [{ integration: "mqtt" }] } } },
        { name: "task", selector: { text: {} } },
        { name: "title", selector: { text: {} } },
        { name: "confirm", selector: { boolean: {} } },
      ],
      computeLabel: ({ name }) => label(name),
      computeHelper: ({ name }) => (name === "title" ? undefined : label(`${name}_help`)),
    };
  }

  static getStubConfig() {
    return {};
  }

  constructor() {
    super();
    this.typed = new Map(); // device and task → what is in the form
    this.chosen = {};
    this.running = null; // what was sent from here: { device, task }
    this.outcome = null;
  }

  setConfig(config) {
    for (const key of ["device", "task", "title"]) {
      if (config[key] !== undefined && typeof config[key] !== "string") throw new Error(`${key}: a text is needed`);
    }
    if (config.parameters !== undefined && (typeof config.parameters !== "object" || Array.isArray(config.parameters))) {
      throw new Error("parameters: names and values are needed, such as {hotel: B}");
    }
    super.setConfig(config);
  }

  get devices() {
    return [...this.lab.devices.values()]
      .filter((one) => tasksOf(one).length)
      .sort((one, other) => one.name.localeCompare(other.name));
  }

  /** The device of the configuration, or the one that was chosen. */
  get device() {
    if (this.config.device) return super.device;
    return this.devices.find((one) => keyOf(one) === this.chosen.device) ?? this.devices[0];
  }

  get task() {
    const { device } = this;
    if (this.config.task) return this.config.task;
    return device && tasksOf(device).includes(this.chosen.task) ? this.chosen.task : device && tasksOf(device)[0];
  }

  render() {
    const { device, task } = this;
    if (!device) return this.config.device ? this.absence() : this.nobody();
    const schema = device.tasks[task];
    return h("ha-card", {}, [
      h("div", { class: "line" }, [
        h("h2", {}, this.config.title ?? (this.config.task ? nameOf(task) : device.name)),
        h("span", { class: "quiet" }, word(readiness, this.hass.language, device.readiness)),
      ]),
      device.reasons.length > 0 && device.readiness !== "busy" &&
        h("ul", { class: "reasons" }, device.reasons.map((why) => h("li", {}, why))),
      schema ? this.form(device, task, schema) : h("p", { class: "error" }, this.word("no_task", { device: device.name, task })),
      this.now(device),
      this.outcome && this.told(this.outcome),
    ]);
  }

  nobody() {
    if (!this.lab.ready) return h("ha-card", {}, h("p", { class: "note" }, this.word(this.lab.missing ? "missing" : "loading")));
    return h("ha-card", {}, h("p", { class: "note" }, this.word("nobody")));
  }

  form(device, task, schema) {
    const parameters = Object.entries(schema.parameters ?? {});
    const values = this.values(device, task, schema);
    return h("form", { key: `${keyOf(device)}/${task}`, novalidate: true, onsubmit: prevent }, [
      this.choices(device, task),
      schema.description && h("p", { class: "quiet" }, schema.description),
      parameters.length + (schema.open ? 1 : 0) > 0 && h("div", { class: "fields" }, [
        parameters.map(([name, parameter]) =>
          field(name, parameter, values, { required: (schema.required ?? []).includes(name), words: this.bound })),
        schema.open && field("…", { type: "object", title: this.word("more"), description: this.word("more_help") }, values,
          { required: false, words: this.bound }),
      ]),
      h("div", { class: "actions" }, [
        h("button", { class: "primary", type: "button", disabled: !!this.running || !this.lab.linked, onclick: this.run },
          this.word(this.running ? "running" : "run")),
      ]),
    ]);
  }

  choices(device, task) {
    return [
      !this.config.device && this.choose("device", this.devices.map((one) => option(keyOf(one), one.name, keyOf(device)))),
      !this.config.task && this.choose("task", EFFECTS.map((effect) => {
        const these = tasksOf(device).filter((name) => device.tasks[name].effect === effect);
        const options = these.map((name) => option(name, nameOf(name), task));
        return options.length > 0 && h("optgroup", { key: effect, label: this.word(effect) }, options);
      })),
    ];
  }

  choose(what, options) {
    return h("div", { class: "field", key: what }, [
      h("label", { for: what }, this.word(what)),
      h("select", { id: what, onchange: this.chose }, options),
    ]);
  }

  chose = (event) => {
    this.chosen = { ...this.chosen, [event.currentTarget.id]: event.currentTarget.value };
    if (!this.running) this.outcome = null;
    this.changed();
  };

  bound = (key, values) => this.word(key, values);

  /** What is in the form: at first the defaults and what the configuration says. */
  values(device, task, schema) {
    const key = `${keyOf(device)}/${task}`;
    if (!this.typed.has(key)) this.typed.set(key, start(schema, this.config.parameters));
    return this.typed.get(key);
  }

  run = async () => {
    const { device, task } = this;
    const schema = device.tasks[task];
    const form = this.shadowRoot.querySelector("form");
    const read = valueOf(schema, this.values(device, task, schema), form, this.bound);
    if (!read) return; // the browser shows which field is wrong
    if (this.config.confirm === true && schema.effect === "move") {
      const sure = await this.ask({
        title: this.word("sure", { task: nameOf(task) }),
        text: [this.word("sure_text", { device: device.name }), ...written(read)],
        confirm: this.word("run"),
      });
      if (!sure) return;
    }
    this.running = { device: keyOf(device), task };
    this.outcome = null;
    this.changed();
    const answer = await runTask(this.hass, device, task, read);
    this.running = null;
    this.outcome = { ...answer, device: device.name, task };
    this.changed();
  };

  /** What the device does now, whoever began it. */
  now(device) {
    const { progress } = device;
    const mine = this.running?.device === keyOf(device) ? this.running.task : null;
    const task = device.state.task ?? progress?.task ?? mine;
    if (!task || !device.reachable) return null;
    const percent = progress?.task === task ? progress.percent : undefined;
    const message = progress?.task === task && (progress.message || this.word(`status_${progress.status}`));
    return h("div", { class: "now", key: "now" }, [
      h("div", { class: "line" }, [
        h("strong", {}, nameOf(task)),
        percent !== undefined && percent !== null && h("span", {}, `${Math.round(percent)} %`),
      ]),
      h("progress", { max: 100, prop: percent === undefined || percent === null ? {} : { value: percent }, key: `bar${percent === undefined || percent === null}`, "aria-label": nameOf(task) }),
      h("p", { class: "quiet", role: "status" }, message || this.word("status_running")),
      h("div", { class: "actions" }, h("button", { type: "button", onclick: this.cancel }, this.word("cancel"))),
    ]);
  }

  cancel = async () => {
    const { device } = this;
    const request = device.progress?.request_id;
    const answer = await callAction(this.hass, "cancel_task", {
      device: device.registry_id ?? device.device_id,
      ...(request ? { request_id: request } : {}),
    });
    if (!answer.ok) {
      this.outcome = { ...answer, task: "cancel", device: device.name };
      this.changed();
    }
  };

  told(outcome) {
    if (outcome.ok) {
      return h("div", { class: "outcome good", role: "status", key: "outcome" }, [
        h("strong", {}, this.word(outcome.seconds === undefined ? "done" : "done_in", {
          task: nameOf(outcome.task), seconds: new Intl.NumberFormat(this.hass.language, { maximumFractionDigits: 1 }).format(outcome.seconds ?? 0),
        })),
        result(outcome.result),
      ]);
    }
    const code = outcome.error_code;
    const meaning = word(codes, this.hass.language, code);
    return h("div", { class: "outcome bad", role: "alert", key: "outcome" }, [
      h("strong", {}, meaning === code ? this.word("not_done", { task: nameOf(outcome.task) }) : meaning),
      h("p", {}, outcome.error),
      code && h("code", {}, code),
    ]);
  }

  getCardSize() {
    return 6;
  }
}

/** What does something first, what only tells last. */
function tasksOf(device) {
  const rank = (name) => EFFECTS.indexOf(device.tasks[name].effect);
  const own = Object.keys(device.tasks).filter((name) => !HOUSE.has(name) && rank(name) >= 0);
  return own.sort((one, other) => rank(one) - rank(other));
}

function option(value, name, now) {
  return h("option", { key: value, value, prop: { selected: value === now } }, name);
}

function keyOf(device) {
  return `${device.entry_id}/${device.device_id}`;
}

/** A task's name for people: mix_colors → Mix colors. */
function nameOf(task) {
  const words = `${task}`.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}

function written(values) {
  return Object.entries(values).map(([name, value]) => `${nameOf(name)}: ${typeof value === "object" ? JSON.stringify(value) : value}`);
}

function result(value) {
  if (value === null || value === undefined || (typeof value === "object" && !Object.keys(value).length)) return null;
  if (typeof value !== "object") return h("p", {}, `${value}`);
  const flat = !Array.isArray(value) && Object.values(value).every((one) => one === null || typeof one !== "object");
  if (!flat) return h("pre", { tabindex: "0" }, JSON.stringify(value, null, 1));
  return h("dl", {}, Object.entries(value).map(([name, one]) => [h("dt", {}, nameOf(name)), h("dd", {}, `${one ?? "–"}`)]));
}

function prevent(event) {
  event.preventDefault(); // Enter in a field moves nothing
}

registerCard("lab2mqtt-task-card", TaskCard, {
  name: "Lab task",
  description: "A form for a task of a lab device: runs it, shows how far it is and what came out.",
});
