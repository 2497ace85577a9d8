/** A dashboard that lays the whole lab out by itself: `strategy: {type: custom:lab2mqtt}`. */
import { subscribeLab, word } from "./lab.js";

const KNOWN_WITHIN = 5000; // ms
const SPECIAL = { ot2: "custom:lab2mqtt-deck-card", plate_resort: "custom:lab2mqtt-plate-resort-card" };
const DRAWN_AT_MOST = 6; // on the first view; more would hide the rest
const DOCS = "https://github.com/lab2mqtt/lab2mqtt";

const words = {
  en: {
    lab: "Lab",
    health: "Health",
    elsewhere: "Other devices",
    runs: "Runs and bookings",
    measured: "Values",
    controls: "Controls",
    settings: "Settings",
    diagnostic: "Diagnostics",
    bridges: "Bridges",
    no_bridges: "No bridge has told of itself yet.",
    missing: "## lab2mqtt is not set up\n\nAdd it under **Settings → Devices & services → Add integration → lab2mqtt**. Then open this dashboard again.",
    empty: "## No devices yet\n\n1. Start a bridge with the devices of your lab: `lab2mqtt run lab.yaml`, or, without hardware, `lab2mqtt run examples/simulated.yaml`.\n2. It has to use the broker of Home Assistant, and the base topic of this lab.\n3. Its devices appear here by themselves.\n\n[How to]({docs})",
  },
  de: {
    lab: "Labor",
    health: "Zustand",
    elsewhere: "Andere Geräte",
    runs: "Läufe und Buchungen",
    measured: "Werte",
    controls: "Bedienung",
    settings: "Einstellungen",
    diagnostic: "Diagnose",
    bridges: "Bridges",
    no_bridges: "Noch hat sich keine Bridge gemeldet.",
    missing: "## lab2mqtt ist nicht eingerichtet\n\nUnter **Einstellungen → Geräte & Dienste → Integration hinzufügen → lab2mqtt** lässt es sich hinzufügen. Danach dieses Dashboard neu öffnen.",
    empty: "## Noch keine Geräte\n\n1. Eine Bridge mit den Geräten des Labors starten: `lab2mqtt run lab.yaml`, oder ohne Geräte `lab2mqtt run examples/simulated.yaml`.\n2. Sie muss den Broker von Home Assistant und das Base-Topic dieses Labors benutzen.\n3. Ihre Geräte erscheinen hier von selbst.\n\n[Anleitung]({docs})",
  },
};

class LabStrategy extends HTMLElement {
  static registryDependencies = ["entities", "devices", "areas"];

  /** The whole dashboard; made anew by Home Assistant when its registries change. */
  static async generate(config, hass) {
    const told = await known(hass);
    const say = (key, values) => word(words, hass.language, key, values);
    const labs = [...told.labs.values()].filter((lab) => !config.lab || [lab.entry_id, lab.base].includes(config.lab));
    if (!labs.length) {
      return { views: [{ title: say("lab"), path: "lab", type: "sections", sections: [grid([{ type: "markdown", content: say("missing"), ...wide }])] }] };
    }
    const devices = [...told.devices.values()]
      .filter((one) => labs.some((lab) => lab.entry_id === one.entry_id))
      .sort((one, other) => one.name.localeCompare(other.name));
    const paths = new Map(devices.map((one) => [one, pathOf(one, labs)]));
    return {
      title: labs.length === 1 ? labs[0].title : say("lab"),
      views: [
        first(hass, say, labs, devices, paths),
        health(hass, say, labs),
        ...devices.map((one) => deviceView(hass, say, one, paths.get(one))),
      ],
    };
  }
}

const wide = { grid_options: { columns: "full" } };

/** What the labs tell, once they have told it. */
async function known(hass) {
  let unsubscribe = () => {};
  const told = await new Promise((resolve) => {
    let last = { labs: new Map(), devices: new Map() };
    setTimeout(() => resolve(last), KNOWN_WITHIN);
    unsubscribe = subscribeLab(hass, (lab) => {
      last = lab;
      if (lab.ready || lab.missing) resolve(lab);
    });
  });
  unsubscribe();
  return told;
}

function first(hass, say, labs, devices, paths) {
  const stops = labs.map((lab) => [
    { type: "custom:lab2mqtt-stop-card", lab: lab.entry_id, ...wide },
    { type: "custom:lab2mqtt-devices-card", lab: lab.entry_id, paths: pathsIn(lab, paths), ...wide,
      ...(labs.length > 1 ? { title: lab.title } : {}) },
  ]);
  const areas = grouped(devices, (one) => areaOf(hass, one));
  const names = [...areas.keys()].sort((one, other) => (one === "") - (other === "") || one.localeCompare(other));
  const drawn = devices.filter((one) => SPECIAL[one.device_kind]);
  const tiles = (name) => grid([
    heading(name || say(names.length > 1 ? "elsewhere" : "lab"), name ? "mdi:map-marker-outline" : "mdi:flask-outline"),
    ...areas.get(name).map((one) => tile(one, paths.get(one))),
  ]);
  const elsewhere = names.length > 1 ? names.filter((name) => !name) : [];
  const sections = [
    ...names.filter((name) => !elsewhere.includes(name)).map(tiles),
    // A section each, so that they stand beside each other where there is room.
    ...(drawn.length <= DRAWN_AT_MOST ? drawn.map((one) => grid(special(one))) : []),
    ...elsewhere.map(tiles),
  ];
  return {
    title: say("lab"),
    path: "lab",
    icon: "mdi:flask",
    type: "sections",
    max_columns: 4,
    sections: [
      ...stops.map(grid),
      ...(devices.length ? sections : [grid([{ type: "markdown", content: say("empty", { docs: DOCS }), ...wide }])]),
      ...runs(hass, say),
    ],
  };
}

function runs(hass, say) {
  const todo = ours(hass, "todo").map((entity) => ({ type: "todo-list", entity, ...wide }));
  const calendars = ours(hass, "calendar");
  const calendar = calendars.length ? [{ type: "calendar", entities: calendars, initial_view: "listWeek", ...wide }] : [];
  return todo.length + calendar.length ? [grid([heading(say("runs"), "mdi:playlist-play"), ...todo, ...calendar])] : [];
}

function health(hass, say, labs) {
  const bridges = Object.values(hass.devices).filter(
    (device) => device.identifiers.some(([domain]) => domain === "lab2mqtt") && entitiesOf(hass, device.id).length,
  );
  const sections = bridges
    .sort((one, other) => (one.model === "Bridge") - (other.model === "Bridge") || nameOf(one).localeCompare(nameOf(other)))
    .map((device) => grid([
      heading(nameOf(device), device.model === "Bridge" ? "mdi:bridge" : "mdi:flask", `/config/devices/device/${device.id}`),
      { type: "entities", entities: entitiesOf(hass, device.id), ...wide },
    ]));
  const none = !labs.some((lab) => Object.keys(lab.bridges).length);
  return {
    title: say("health"),
    path: "health",
    icon: "mdi:stethoscope",
    type: "sections",
    max_columns: 4,
    sections: [...sections, ...(none ? [grid([heading(say("bridges"), "mdi:bridge"), { type: "markdown", content: say("no_bridges"), ...wide }])] : [])],
  };
}

function deviceView(hass, say, device, path) {
  const groups = { main: [], controls: [], settings: [], diagnostic: [], parts: new Map(), pictures: [] };
  for (const [key, entityId] of Object.entries(device.entity_ids)) {
    const entity = device.entities[key] ?? {};
    const shown = hass.entities[entityId];
    if (!shown || shown.hidden) continue;
    // Its own name: that of the device, which stands before it elsewhere, is the title of the view.
    const row = { entity: entityId, name: shown.name ?? entity.name ?? key };
    if (entity.part) groups.parts.set(entity.part, [...(groups.parts.get(entity.part) ?? []), row]);
    else if (entity.platform === "image") groups.pictures.push(row);
    else if (shown.entity_category === "diagnostic") groups.diagnostic.push(row);
    else if (shown.entity_category === "config") groups.settings.push(row);
    else if (["sensor", "binary_sensor", "event"].includes(entity.platform)) groups.main.push(row);
    else groups.controls.push(row);
  }
  const list = (title, icon, entities) =>
    entities.length ? [grid([heading(title, icon), { type: "entities", entities, ...wide }])] : [];
  return {
    title: device.name,
    path: path.split("/").pop(),
    type: "sections",
    subview: true,
    max_columns: 4,
    sections: [
      ...special(device).map((card) => ({ ...grid([card]), column_span: 2 })),
      grid([
        { type: "custom:lab2mqtt-task-card", ...named(device), ...wide },
        { type: "custom:lab2mqtt-stop-card", lab: device.entry_id, ...wide },
      ]),
      ...(groups.pictures.length ? [grid(groups.pictures.map((row) => ({ type: "picture-entity", ...row, show_state: false, ...wide })))] : []),
      ...list(say("measured"), "mdi:gauge", groups.main),
      ...list(say("controls"), "mdi:gesture-tap-button", groups.controls),
      ...[...groups.parts].flatMap(([part, entities]) => list(device.parts[part]?.name ?? part, "mdi:puzzle-outline", entities)),
      ...list(say("settings"), "mdi:cog-outline", groups.settings),
      ...list(say("diagnostic"), "mdi:stethoscope", groups.diagnostic),
    ],
  };
}

/** The card that draws this kind of device, if there is one. */
function special(device) {
  const type = SPECIAL[device.device_kind];
  return type ? [{ type, ...named(device), ...wide }] : [];
}

function named(device) {
  return { device: device.device_id, lab: device.entry_id };
}

/** A tile of the device's readiness, that leads to its view. */
function tile(device, path) {
  const go = { action: "navigate", navigation_path: path };
  const entity = device.entity_ids.readiness;
  if (!entity) return { type: "button", name: device.name, icon: "mdi:flask-outline", tap_action: go };
  return { type: "tile", entity, name: device.name, tap_action: go, icon_tap_action: go, grid_options: { columns: 6 }, icon: iconOf(device) };
}

function iconOf(device) {
  const icons = { ot2: "mdi:eyedropper", plate_resort: "mdi:tray-full" };
  return icons[device.device_kind] ?? "mdi:flask-outline";
}

function grid(cards) {
  return { type: "grid", cards };
}

function heading(title, icon, path) {
  return { type: "heading", heading: title, icon, ...(path ? { tap_action: { action: "navigate", navigation_path: path } } : {}) };
}

function ours(hass, domain) {
  return Object.values(hass.entities)
    .filter((one) => one.platform === "lab2mqtt" && one.entity_id.startsWith(`${domain}.`) && !one.hidden)
    .map((one) => one.entity_id);
}

function entitiesOf(hass, deviceId) {
  return Object.values(hass.entities)
    .filter((one) => one.platform === "lab2mqtt" && one.device_id === deviceId && !one.hidden)
    .map((one) => ({ entity: one.entity_id, ...(one.name ? { name: one.name } : {}) }));
}

function nameOf(device) {
  return device.name_by_user ?? device.name ?? "";
}

function areaOf(hass, device) {
  const area = hass.devices[device.registry_id]?.area_id;
  return hass.areas[area]?.name ?? device.area ?? "";
}

/** The address of a device's view; the dashboard is the one that is open. */
function pathOf(device, labs) {
  const dashboard = location.pathname.split("/")[1] || "lovelace";
  const id = device.device_id;
  const several = labs.length > 1 ? `${labs.findIndex((lab) => lab.entry_id === device.entry_id) + 1}-` : "";
  return `/${dashboard}/device-${several}${id}`;
}

function pathsIn(lab, paths) {
  return Object.fromEntries([...paths].filter(([one]) => one.entry_id === lab.entry_id).map(([one, path]) => [one.device_id, path]));
}

function grouped(all, key) {
  const groups = new Map();
  for (const one of all) groups.set(key(one), [...(groups.get(key(one)) ?? []), one]);
  return groups;
}

customElements.define("ll-strategy-dashboard-lab2mqtt", LabStrategy);
window.customStrategies ??= [];
window.customStrategies.push({
  type: "lab2mqtt",
  strategyType: "dashboard",
  name: "Lab",
  description: "The whole lab by itself: stop, what runs, problems, devices by area, runs, health.",
  documentationURL: DOCS,
});
