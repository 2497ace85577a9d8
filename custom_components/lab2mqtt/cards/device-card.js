/** What the cards of one device share: its name and readiness, reasons, errors of tasks, the stop. */
import { LabCard, callAction, h, runTask, subscribeLab, word } from "./lab.js";
import { form, readiness, words } from "./device-words.js";
import { icon } from "./icons.js";

export const TONES = {
  ready: "good",
  busy: "active",
  starting: "active",
  paused: "warn",
  reserved: "warn",
  needs_homing: "warn",
  maintenance: "warn",
  interlocked: "bad",
  fault: "bad",
  emergency_stopped: "bad",
};
const KNOWN_WITHIN = 2000; // ms, for the example of the card picker

/** A card of one device; a subclass has `kind`, `manufacturer`, and `content(device)`, which gives what to draw. */
export class DeviceCard extends LabCard {
  static kind = "";
  static manufacturer = "";

  /** What the editor asks for, with Home Assistant's own form. */
  static getConfigForm() {
    const label = (key) => word(form, document.documentElement.lang, key);
    return {
      schema: [
        {
          name: "device",
          required: true,
          selector: { device: { filter: [{ integration: "mqtt", manufacturer: this.manufacturer }] } },
        },
        { name: "name", selector: { text: {} } },
      ],
      computeLabel: ({ name }) => label(name),
      computeHelper: ({ name }) => (name === "device" ? label("device_help") : undefined),
    };
  }

  /** The first device of this kind, for the picker. */
  static async getStubConfig(hass) {
    let unsubscribe;
    const found = await new Promise((resolve) => {
      setTimeout(resolve, KNOWN_WITHIN);
      unsubscribe = subscribeLab(hass, (lab) => {
        const device = [...lab.devices.values()].find((one) => one.device_kind === this.kind);
        if (device || lab.ready || lab.missing) resolve(device);
      });
    });
    unsubscribe();
    return { device: found?.registry_id ?? found?.device_id ?? "" };
  }

  /** Only a device can be shown; which one may still be chosen in the editor. */
  setConfig(config) {
    if (config.device !== undefined && typeof config.device !== "string") {
      throw new Error("device: the id of a device is needed, such as ot2");
    }
    super.setConfig(config);
  }

  render() {
    if (!this.config.device) return h("ha-card", {}, h("p", { class: "note" }, this.word("choose")));
    const absent = this.absence();
    if (absent) return absent;
    const { device } = this;
    return h("ha-card", { class: device.reachable ? "" : "away" }, this.header(device), this.content(device));
  }

  /** A text of the card, of all cards of a device, or of all cards. */
  word(key, values) {
    return key in words.en ? word(words, this.hass.language, key, values) : super.word(key, values);
  }

  getGridOptions() {
    return { columns: 12, min_columns: 9, rows: "auto" };
  }

  /** Whether new work may begin now. */
  get idle() {
    const { state } = this.device;
    return this.device.readiness === "ready" && !state.task;
  }

  header(device) {
    const tone = device.reachable ? TONES[device.readiness] ?? "off" : "off";
    const told = device.reachable ? device.readiness : "unreachable";
    return [
      h(
        "header",
        {},
        h("h2", {}, this.config.name || device.name, device.simulated && h("small", {}, this.word("simulated"))),
        h("span", { class: `chip ${tone}`, role: "status" }, word(readiness, this.hass.language, told)),
      ),
      device.reasons?.length > 0 &&
        !device.state?.task && // what it does stands below
        h("ul", { class: `reasons ${tone}` }, device.reasons.map((reason) => h("li", {}, reason))),
      this.problem &&
        h(
          "div",
          { class: "problem", role: "alert" },
          h("p", {}, h("strong", {}, this.problem.title), " ", this.problem.text),
          h(
            "button",
            { class: "plain icon", "aria-label": this.word("dismiss"), onclick: () => this.say(null) },
            icon("cross"),
          ),
        ),
    ];
  }

  /** Show what went wrong, in the device's own words; null takes it away. */
  say(problem) {
    this.problem = problem;
    this.changed();
  }

  /** Run a task; with `question`, {title, text, confirm, danger}, only after it was confirmed. */
  async run(task, parameters = {}, question = null) {
    if (question && !(await this.ask(question))) return null;
    return this.answer(this.taskName(task), runTask(this.hass, this.device, task, parameters));
  }

  /** Wait for an answer, and say what went wrong. */
  async answer(title, answer) {
    this.say(null);
    const { ok, error } = await answer;
    if (!ok) this.say({ title: `${title}:`, text: error });
    return ok;
  }

  /** A task as people call it: "mix_color" is "Mix color". */
  taskName(task) {
    const text = task.replaceAll("_", " ");
    return text[0].toUpperCase() + text.slice(1);
  }

  /** Stop at once, without a question; or, where a stop holds the device, its release, with one. */
  stopButton(device) {
    if (!device.tasks?.emergency_stop) return null;
    if (!device.state.emergency_stop) {
      const stop = () => this.answer(this.word("stop"), callAction(this.hass, "emergency_stop", this.meant));
      return h("button", { key: "stop", class: "danger stop", onclick: stop }, icon("hand"), this.word("stop"));
    }
    // A stop of the whole lab is released where it was engaged, not device by device.
    if (this.lab.labs.get(device.entry_id)?.stop?.engaged) return null;
    const release = async () => {
      const sure = await this.ask({
        title: this.word("release_title", { name: device.name }),
        text: this.word("release_text"),
        confirm: this.word("release"),
      });
      if (sure) this.answer(this.word("release"), callAction(this.hass, "reset_emergency_stop", this.meant));
    };
    return h("button", { key: "release", class: "release", onclick: release }, this.word("release"));
  }

  get meant() {
    return { device: [this.device.registry_id ?? this.device.device_id] };
  }
}

export const deviceCss = `
  header { display: flex; align-items: center; justify-content: space-between; gap: 8px 12px; flex-wrap: wrap; }
  header h2 { min-width: 0; overflow-wrap: anywhere; }
  header small { margin-inline-start: 8px; font-size: 0.8rem; font-weight: 400; color: var(--secondary-text-color); }
  .good { --tone: var(--success-color, #43a047); }
  .active { --tone: var(--primary-color); }
  .warn { --tone: var(--warning-color, #ffa600); }
  .bad { --tone: var(--error-color); }
  .off { --tone: var(--disabled-text-color, #9e9e9e); }
  .chip { display: inline-flex; align-items: center; gap: 8px; min-height: 28px; padding: 0 12px; border-radius: 14px;
    font-size: 0.9rem; font-weight: 500; background: color-mix(in srgb, var(--tone) 18%, transparent); }
  .chip::before { content: ""; width: 10px; height: 10px; border-radius: 50%; background: var(--tone); }
  .reasons { margin: 0; padding: 8px 12px; list-style: none; border-inline-start: 4px solid var(--tone); border-radius: 4px;
    background: color-mix(in srgb, var(--tone) 10%, transparent); line-height: 1.4; overflow-wrap: anywhere; }
  .reasons li + li { margin-top: 4px; }
  .problem { display: flex; align-items: start; gap: 4px; padding: 8px 4px 8px 12px; border-radius: 8px;
    background: color-mix(in srgb, var(--error-color) 14%, transparent); }
  .problem p { flex: 1; padding: 8px 0; overflow-wrap: anywhere; }
  .buttons { display: flex; flex-wrap: wrap; gap: 8px; }
  .buttons button { flex: 0 1 auto; display: inline-flex; align-items: center; justify-content: center; gap: 8px; }
  .buttons .stop, .buttons .release { margin-inline-start: auto; }
  button.icon { padding: 0; display: inline-flex; align-items: center; justify-content: center; }
  svg.icon { width: 22px; height: 22px; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round;
    stroke-linejoin: round; flex: none; }
  .away .drawing { opacity: 0.45; }
  .drawing { display: block; width: 100%; height: auto; touch-action: manipulation; }
  .drawing text { font-family: inherit; fill: var(--primary-text-color); }
  .panel { display: flex; flex-direction: column; gap: 12px; padding: 12px; border-radius: 12px; min-width: 0;
    background: var(--secondary-background-color, rgb(127 127 127 / 12%)); }
  .panel > .title { display: flex; align-items: center; justify-content: space-between; gap: 8px; }
  .panel h3 { overflow-wrap: anywhere; }
  ha-card { container-type: inline-size; }
  .halves { display: grid; grid-template-columns: minmax(0, 1fr); gap: 12px; align-items: start; }
  .half { min-width: 0; display: flex; flex-direction: column; gap: 12px; }
  .panel h3 small { display: block; font-weight: 400; font-size: 0.9rem; color: var(--secondary-text-color); }
  dialog.task { padding: 8px; --ha-card-border-width: 0; --ha-card-box-shadow: none; }
  dialog.task .answers { margin: 0 8px 8px; }
  .panel > .title button { margin: -8px -8px -8px 0; }
`;
