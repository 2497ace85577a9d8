/**
 * What all cards share: one subscription of the page to the labs, the card that they extend, tasks, questions.
 *
 * `lab` = { ready, linked, missing, labs: Map(entry_id → lab), devices: Map(`${entry_id}/${device_id}` → device) }
 *   ready: everything has been told once; linked: Home Assistant can be reached; missing: it has no lab2mqtt.
 *
 *   class MyCard extends LabCard {
 *     static words = { en: { title: "Plates of {name}" }, de: { … } };
 *     static css = `.room { … }`;
 *     render() { return [h("ha-card", {}, this.word("title", { name: this.device.name }))]; }
 *   }
 */
import { draw, h } from "./draw.js";
import { shared } from "./style.js";

export { draw, h };

const LOST = 3; // the code of home-assistant-js-websocket for a link that was lost
const AGAIN_AFTER = [1000, 2000, 5000, 10000]; // ms; Home Assistant may still be starting

let subscription = null;

/** Be told of the labs, at once and on every change, until the function that is returned is called. */
export function subscribeLab(hass, listener) {
  if (subscription?.connection !== hass.connection) {
    subscription?.close();
    subscription = new Subscription(hass.connection);
  }
  return subscription.add(listener);
}

class Subscription {
  constructor(connection) {
    this.connection = connection;
    this.listeners = new Set();
    this.lab = { ready: false, linked: connection.connected, missing: false, labs: new Map(), devices: new Map() };
    this.round = 0; // answers of an earlier round are not ours any more
    this.onLost = () => {
      this.round += 1;
      this.lab.linked = false;
      this.tell();
    };
    this.onLinked = () => this.open();
  }

  add(listener) {
    this.listeners.add(listener);
    if (this.listeners.size === 1) this.begin();
    else listener(this.lab);
    return () => {
      this.listeners.delete(listener);
      // A page that is only redrawn takes its cards away and puts them back.
      setTimeout(() => this.listeners.size || this.close(), 1000);
    };
  }

  begin() {
    if (this.begun) return this.tell();
    this.begun = true;
    this.connection.addEventListener("disconnected", this.onLost);
    this.connection.addEventListener("ready", this.onLinked);
    this.open();
  }

  close() {
    this.connection.removeEventListener("disconnected", this.onLost);
    this.connection.removeEventListener("ready", this.onLinked);
    this.round += 1;
    this.begun = false;
    this.stop?.().catch(() => {}); // the link may be gone, and the subscription with it
    this.stop = null;
  }

  async open(attempt = 0) {
    this.round += 1;
    const { round } = this;
    const seen = { labs: new Set(), devices: new Set() };
    this.lab.linked = this.connection.connected;
    this.stop = null;
    this.tell();
    try {
      // Resubscribed by ourselves: after a restart the command is not there yet, and it would not be tried again.
      const stop = await this.connection.subscribeMessage(
        (message) => round === this.round && this.take(message, seen),
        { type: "lab2mqtt/subscribe" },
        { resubscribe: false },
      );
      if (round === this.round) this.stop = stop;
      else stop().catch(() => {});
    } catch (error) {
      if (round !== this.round) return;
      this.lab.missing = error?.code === "unknown_command";
      this.tell();
      const wait = AGAIN_AFTER[Math.min(attempt, AGAIN_AFTER.length - 1)];
      setTimeout(() => round === this.round && this.connection.connected && this.open(attempt + 1), wait);
    }
  }

  take(message, seen) {
    const { lab } = this;
    // A message has only what has changed; after a new start of the subscription it is whole.
    if (message.kind === "lab") {
      lab.labs.set(message.entry_id, { ...lab.labs.get(message.entry_id), ...message });
      seen.labs.add(message.entry_id);
    } else if (message.kind === "device") {
      const key = `${message.entry_id}/${message.device_id}`;
      lab.devices.set(key, { ...lab.devices.get(key), ...message });
      seen.devices.add(key);
    } else if (message.kind === "gone") {
      if (message.device_id) lab.devices.delete(`${message.entry_id}/${message.device_id}`);
      else lab.labs.delete(message.entry_id);
    } else if (message.kind === "ready") {
      // What went while nobody listened was not told as gone.
      for (const kind of ["labs", "devices"]) {
        for (const key of lab[kind].keys()) if (!seen[kind].has(key)) lab[kind].delete(key);
      }
      lab.ready = true;
      lab.missing = false;
    }
    this.tell();
  }

  tell() {
    for (const listener of this.listeners) listener(this.lab);
  }
}

/** The lab that is meant: by entry id, base topic or title; without a name the first one. */
export function findLab(lab, name) {
  const all = [...lab.labs.values()];
  return name ? all.find((one) => [one.entry_id, one.base, one.title].includes(name)) : all[0];
}

/** The device that is meant: its id in lab2mqtt or in Home Assistant's registry; in one lab, or in any. */
export function findDevice(lab, device, name) {
  const entry = name ? findLab(lab, name)?.entry_id : undefined;
  return [...lab.devices.values()].find(
    (one) => (one.device_id === device || (device && one.registry_id === device)) && (!name || one.entry_id === entry),
  );
}

/** Call an action; gives {ok, response} or {ok: false, error, error_code} and never throws. */
export async function callAction(hass, action, data) {
  try {
    const { response } = await hass.callService("lab2mqtt", action, data, undefined, false, true);
    return { ok: true, response };
  } catch (error) {
    const lost = error === LOST || error?.code === LOST || !hass.connection.connected;
    return {
      ok: false,
      error: lost ? word(shared.words, hass.language, "lost") : error?.message || `${error}`,
      error_code: lost ? "no_link" : error?.translation_key || error?.code || "device_error",
    };
  }
}

/** Run a task of a device (as `lab` tells it) to its end; gives {ok, result, error, error_code}. */
export async function runTask(hass, device, task, parameters = {}) {
  const named = device.registry_id ?? device.device_id;
  const answer = await callAction(hass, "run_task", { device: named, task, parameters, raise_errors: false });
  return answer.ok ? answer.response : answer;
}

/** A text in the language of the person, with {names} filled in; English where there is no other. */
export function word(words, language, key, values = {}) {
  const table = { ...words.en, ...words[(language ?? "en").split("-")[0]] };
  return (table[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

/** A moment (seconds since 1970) as the person writes times; with the date if it is not today. */
export function moment(hass, seconds) {
  if (!seconds) return "?";
  const { language = "en", time_format: format, time_zone: zone } = hass.locale ?? {};
  const day = { timeZone: zone === "server" ? hass.config.time_zone : undefined };
  const [when, now] = [new Date(seconds * 1000), new Date()];
  const date = new Intl.DateTimeFormat(language, { ...day, dateStyle: "medium" });
  const hour12 = format === "12" ? true : format === "24" ? false : undefined;
  const time = new Intl.DateTimeFormat(language, { ...day, hour: "2-digit", minute: "2-digit", hour12 }).format(when);
  return date.format(when) === date.format(now) ? time : `${date.format(when)}, ${time}`;
}

/** A card of a lab: a subclass has `render()`, which gives what to draw, `words`, and `css`. */
export class LabCard extends HTMLElement {
  static words = { en: {} };
  static css = "";

  constructor() {
    super();
    this.attachShadow({ mode: "open" });
    const style = document.createElement("style");
    style.textContent = shared.css + this.constructor.css;
    this.body = document.createElement("div");
    this.body.className = "body";
    this.shadowRoot.append(style, this.body);
    this.lab = { ready: false, linked: true, missing: false, labs: new Map(), devices: new Map() };
  }

  /** Takes the configuration; a subclass throws an Error here if it can never work. */
  setConfig(config) {
    this.config = config;
    this.changed();
  }

  set hass(hass) {
    const before = this._hass;
    this._hass = hass;
    if (this.isConnected) this.listen();
    if (before?.language !== hass.language || before?.connected !== hass.connected) this.changed();
  }

  get hass() {
    return this._hass;
  }

  /** The device of the configuration, or undefined as long as it is not known. */
  get device() {
    return findDevice(this.lab, this.config?.device, this.config?.lab);
  }

  connectedCallback() {
    if (this._hass) this.listen();
    this.changed();
  }

  disconnectedCallback() {
    this.unsubscribe?.();
    this.unsubscribe = null;
  }

  listen() {
    this.unsubscribe ??= subscribeLab(this._hass, (lab) => {
      this.lab = lab;
      this.changed();
    });
  }

  /** Draw soon, and once for all changes until then. */
  changed() {
    if (this.waiting || !this.config || !this._hass) return;
    this.waiting = true;
    queueMicrotask(() => {
      this.waiting = false;
      if (this.isConnected) draw(this.body, this.render());
    });
  }

  /** A text of this card, or of those that all cards share. */
  word(key, values) {
    const own = word(this.constructor.words, this._hass.language, key, values);
    return own === key ? word(shared.words, this._hass.language, key, values) : own;
  }

  /** What to show instead of the device as long as there is none; null once it is there. */
  absence() {
    if (this.device) return null;
    const why = this.lab.missing ? "missing" : this.lab.ready ? "unknown" : this.lab.linked ? "loading" : "lost_link";
    return h("ha-card", {}, h("p", { class: "note", role: "status" }, this.word(why, { device: this.config.device })));
  }

  /** Ask in a dialog; gives whether the person wants it. The other button has the focus: Enter does nothing. */
  ask({ title, text, confirm, danger = false }) {
    return new Promise((resolve) => {
      const dialog = document.createElement("dialog");
      dialog.setAttribute("aria-labelledby", "ask-title");
      const end = (answer) => () => dialog.close(answer);
      draw(dialog, [
        h("h2", { id: "ask-title" }, title),
        flatLines(text).map((line) => h("p", {}, line)),
        h("div", { class: "answers" }, [
          h("button", { class: "plain", autofocus: true, onclick: end("") }, this.word("not_now")),
          h("button", { class: danger ? "danger" : "primary", onclick: end("yes") }, confirm),
        ]),
      ]);
      dialog.addEventListener("close", () => {
        dialog.remove();
        resolve(dialog.returnValue === "yes");
      });
      this.shadowRoot.append(dialog);
      dialog.showModal();
    });
  }

  getCardSize() {
    return 4;
  }

  getGridOptions() {
    return { columns: 12, min_columns: 6, rows: "auto" };
  }
}

function flatLines(text) {
  return [text].flat().filter(Boolean);
}

/** Make a card known to the browser and to the card picker; `about` = {name, description} in English. */
export function registerCard(type, card, about) {
  if (!customElements.get(type)) customElements.define(type, card);
  window.customCards ??= [];
  if (!window.customCards.some((one) => one.type === type)) window.customCards.push({ type, preview: true, ...about });
}
