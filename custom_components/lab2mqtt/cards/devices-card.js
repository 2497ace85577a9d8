/** The devices of a lab in one list: what is wrong first, then what runs. A row leads to the device's view. */
import { LabCard, findLab, h, registerCard, word } from "./lab.js";
import { TONES, deviceCss } from "./device-card.js";
import { readiness } from "./device-words.js";

const ORDER = { bad: 0, off: 1, warn: 2, active: 3, good: 4 };

const words = {
  en: {
    title: "Now",
    all_well: "All devices are ready, and nothing runs.",
    more_ready: "{count} more are ready.",
    one_more_ready: "One more is ready.",
    no_devices: "No device has told of itself yet. Start a bridge: lab2mqtt run lab.yaml",
    bridge: "Bridge {bridge}",
    offline: "Offline",
    bridge_gone: "Its devices cannot be reached. Start it again.",
    no_broker: "Home Assistant has no link to the broker. What is shown may be old.",
    reserved_by: "Reserved by {holder}.",
    form_title: "Title",
    form_all: "Show those that are ready, too",
  },
  de: {
    title: "Jetzt",
    all_well: "Alle Geräte sind bereit, und nichts läuft.",
    more_ready: "{count} weitere sind bereit.",
    one_more_ready: "Ein weiteres ist bereit.",
    no_devices: "Noch hat sich kein Gerät gemeldet. Eine Bridge starten: lab2mqtt run lab.yaml",
    bridge: "Bridge {bridge}",
    offline: "Offline",
    bridge_gone: "Ihre Geräte sind nicht erreichbar. Bitte neu starten.",
    no_broker: "Home Assistant hat keine Verbindung zum Broker. Das Gezeigte kann alt sein.",
    reserved_by: "Reserviert von {holder}.",
    form_title: "Titel",
    form_all: "Auch zeigen, was bereit ist",
  },
};

class DevicesCard extends LabCard {
  static words = words;
  static css = `${deviceCss}
    ha-card { padding: 16px 8px 8px; gap: 4px; }
    h2, .note { padding: 0 8px; }
    .note { padding-bottom: 8px; }
    .rows { list-style: none; margin: 0; padding: 0; }
    .row { display: grid; grid-template-columns: 1fr auto; gap: 4px 12px; align-items: center; min-height: 56px; width: 100%;
      box-sizing: border-box; padding: 8px; border-radius: 10px; text-align: start; text-decoration: none; color: inherit; }
    a.row:hover { background: color-mix(in srgb, var(--primary-text-color) 6%, transparent); }
    .name { font-weight: 500; overflow-wrap: anywhere; }
    .why { grid-column: 1 / -1; color: var(--secondary-text-color); font-size: 0.9rem; line-height: 1.35; overflow-wrap: anywhere; }
    .bar { grid-column: 1 / -1; height: 6px; border-radius: 3px; overflow: hidden; background: color-mix(in srgb, var(--primary-color) 20%, transparent); }
    .bar span { display: block; height: 100%; background: var(--primary-color); transition: width 0.3s; }
  `;

  static getConfigForm() {
    const label = (key) => word(words, document.documentElement.lang, `form_${key}`);
    return {
      schema: [{ name: "title", selector: { text: {} } }, { name: "all", selector: { boolean: {} } }],
      computeLabel: ({ name }) => label(name),
    };
  }

  static getStubConfig() {
    return {};
  }

  render() {
    const lab = findLab(this.lab, this.config.lab);
    if (!lab) {
      const why = this.lab.missing || this.lab.ready ? "missing" : this.lab.linked ? "loading" : "lost_link";
      return h("ha-card", {}, h("p", { class: "note", role: "status" }, this.word(why)));
    }
    const devices = [...this.lab.devices.values()]
      .filter((one) => one.entry_id === lab.entry_id)
      .map((one) => [ORDER[toneOf(one)], one])
      .sort(([rank, one], [other, another]) => rank - other || one.name.localeCompare(another.name))
      .map(([, one]) => one);
    const shown = devices.filter((one) => this.config.all || !idle(one));
    const quiet = devices.length - shown.length;
    const gone = Object.entries(lab.bridges).filter(([, bridge]) => !bridge.online);
    return h("ha-card", {}, [
      h("h2", {}, this.config.title ?? this.word("title")),
      !lab.connected && h("p", { class: "note error", role: "alert" }, this.word("no_broker")),
      h("ul", { class: "rows" }, [
        gone.map(([id]) => this.bridge(id)),
        shown.map((one) => this.row(one)),
      ]),
      !devices.length && h("p", { class: "note" }, this.word("no_devices")),
      quiet > 0 && h("p", { class: "note quiet", key: "quiet" }, this.rest(quiet, shown.length + gone.length)),
    ]);
  }

  rest(quiet, others) {
    if (!others) return this.word("all_well");
    return quiet === 1 ? this.word("one_more_ready") : this.word("more_ready", { count: quiet });
  }

  bridge(id) {
    return h("li", { key: `bridge/${id}` }, h("div", { class: "row" }, [
      h("span", { class: "name" }, this.word("bridge", { bridge: id })),
      h("span", { class: "chip bad" }, this.word("offline")),
      h("span", { class: "why" }, this.word("bridge_gone")),
    ]));
  }

  row(device) {
    const { progress, state } = device;
    const path = this.config.paths?.[device.device_id];
    const running = device.reachable && state.task;
    const mine = progress?.task === state.task ? progress : null;
    const said = running ? [taskName(state.task), mine?.message].filter(Boolean).join(": ") : device.reasons.join(" ");
    // The reasons may name the holder already.
    const told = said.includes(device.reserved_by);
    const holder = device.reserved_by && !told && this.word("reserved_by", { holder: device.reserved_by });
    const percent = running && typeof mine?.percent === "number" ? mine.percent : null;
    const content = [
      h("span", { class: "name" }, device.name),
      h("span", { class: `chip ${toneOf(device)}` }, word(readiness, this.hass.language, device.readiness)),
      (said || holder) && h("span", { class: "why" }, [said, holder].filter(Boolean).join(" · ")),
      percent !== null && h("span", { class: "bar", role: "progressbar", "aria-valuenow": Math.round(percent), "aria-valuemin": 0, "aria-valuemax": 100,
        "aria-label": taskName(state.task) }, h("span", { style: `width:${percent}%` })),
    ];
    return h("li", { key: device.device_id }, path
      ? h("a", { class: "row", href: path, onclick: this.go }, content)
      : h("div", { class: "row" }, content));
  }

  /** Without loading the page again; with a modifier key the browser does what it always does. */
  go = (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button > 0) return;
    event.preventDefault();
    history.pushState(null, "", event.currentTarget.getAttribute("href"));
    window.dispatchEvent(new CustomEvent("location-changed", { detail: { replace: false } }));
  };

  getCardSize() {
    return 3;
  }
}

function toneOf(device) {
  return device.reachable ? TONES[device.readiness] ?? "off" : "off";
}

function idle(device) {
  return device.reachable && device.readiness === "ready" && !device.state.task;
}

function taskName(task) {
  const text = task.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

registerCard("lab2mqtt-devices-card", DevicesCard, {
  name: "Lab devices",
  description: "The devices of a lab: what is wrong first, then what runs.",
});
