/** The deck of an OT-2 seen from above, slots 1 to 3 in front; each labware is a button. */
import { h } from "./lab.js";
import { SLOT, TRASH, corner, drop, labwareIn } from "./deck-places.js";

const EDGE = 3; // mm around the deck
const SLOTS = Array.from({ length: 11 }, (_, index) => `${index + 1}`);
const VIEW = `${-EDGE} ${-EDGE} ${2 * SLOT.right + SLOT.width + 2 * EDGE} ${3 * SLOT.up + SLOT.height + 2 * EDGE}`;

/**
 * Draw it.
 *
 * @param state The state of the device.
 * @param chosen { slot, well } that is open, or null.
 * @param label Gives the name of a labware for who does not see it.
 * @param trash The word for the trash.
 * @param choose Called with slot and, where the tap met one, well.
 */
export function drawDeck({ state, chosen, label, title, trash, choose }) {
  const step = state.deck?.step?.place;
  return h(
    "svg",
    { class: "drawing deck", viewBox: VIEW, role: "group", "aria-label": title },
    SLOTS.map((slot) => {
      const labware = labwareIn(state, slot);
      return labware
        ? drawLabware(labware, { chosen, step, label: label(labware), choose })
        : h("g", { key: slot, transform: move(slot) }, base("slot"), number(slot));
    }),
    h(
      "g",
      { key: TRASH, transform: move(TRASH), class: step?.startsWith(`${TRASH}/`) ? "trash now" : "trash" },
      base("slot"),
      h("rect", { class: "bin", x: 20, y: 14, width: SLOT.width - 40, height: SLOT.height - 28, rx: 8 }),
      h("text", { x: SLOT.width / 2, y: SLOT.height / 2 + 6, "text-anchor": "middle", class: "word" }, trash),
    ),
  );
}

function drawLabware(labware, { chosen, step, label, choose }) {
  const open = chosen?.slot === labware.slot;
  const radius = Math.min(labware.cell * 0.42, 16);
  const use = (well) => choose(labware.slot, well);
  return h(
    "g",
    {
      key: labware.slot,
      class: `labware ${labware.kind}${open ? " open" : ""}${step?.startsWith(`${labware.slot}/`) ? " now" : ""}`,
      transform: move(labware.slot),
      role: "button",
      tabindex: 0,
      "data-slot": labware.slot,
      "aria-label": label,
      "aria-expanded": `${open}`,
      onclick: (event) => use(nearest(labware, event)),
      onkeydown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        use();
      },
    },
    base("slot"),
    base("plastic"),
    number(labware.slot),
    labware.places.map((place) => [
      h("circle", { class: `place ${place.is}`, cx: place.x, cy: place.y, r: radius }),
      place.colour &&
        place.share > 0 &&
        h("circle", { class: "drop", cx: place.x, cy: place.y, r: drop(place.share, radius * 0.94), fill: place.colour }),
      place.is === "used" && h("circle", { class: "touched", cx: place.x, cy: place.y, r: radius * 0.45 }),
      open &&
        chosen.well === place.well &&
        h("circle", { class: "picked", cx: place.x, cy: place.y, r: radius + 1.4 }),
      step === place.at && [
        h("circle", { class: "pulse", cx: place.x, cy: place.y, r: radius }),
        h("circle", { class: "ring", cx: place.x, cy: place.y, r: radius + 1 }),
      ],
    ]),
  );
}

function base(kind) {
  const inset = kind === "plastic" ? 2.5 : 0;
  return h("rect", {
    class: kind,
    x: inset,
    y: inset,
    width: SLOT.width - 2 * inset,
    height: SLOT.height - 2 * inset,
    rx: 6 - inset / 2,
  });
}

function number(slot) {
  return h("text", { class: "number", x: 12, y: SLOT.height - 8, "text-anchor": "middle" }, slot);
}

function move(slot) {
  const { x, y } = corner(slot);
  return `translate(${x} ${y})`;
}

/** The well under a tap; undefined beside all. */
function nearest(labware, event) {
  const box = event.currentTarget.querySelector(".slot").getBoundingClientRect();
  const x = ((event.clientX - box.left) / box.width) * SLOT.width - labware.left;
  const y = ((event.clientY - box.top) / box.height) * SLOT.height - labware.top;
  const [column, row] = [Math.floor(x / labware.cell), Math.floor(y / labware.cell)];
  return labware.places.find((place) => place.column === column && place.row === row)?.well;
}

export const deckCss = `
  .deck .slot { fill: var(--secondary-background-color, rgb(127 127 127 / 12%)); }
  .deck .plastic { fill: var(--card-background-color, #fff); stroke: var(--divider-color); stroke-width: 1; }
  .deck .number { font-size: 12px; font-weight: 500; fill: var(--secondary-text-color); }
  .deck g:not(.labware) > .number { opacity: 0.75; }
  .deck .word { font-size: 15px; fill: var(--secondary-text-color); }
  .deck .bin { fill: none; stroke: var(--divider-color); stroke-width: 2; }
  .deck .labware { cursor: pointer; outline: none; }
  .deck .labware.now > .plastic, .deck .trash.now > .bin { stroke: var(--primary-color); stroke-width: 2; }
  .deck .labware.open > .plastic { stroke: var(--primary-color); stroke-width: 3; }
  .deck .labware:focus-visible > .plastic { stroke: var(--primary-color); stroke-width: 5; }
  @media (hover: hover) { .deck .labware:hover > .plastic { stroke: var(--primary-color); } }
  .deck .place { fill: none; stroke: var(--secondary-text-color); stroke-opacity: 0.55; stroke-width: 0.8; }
  .deck .place.new { fill: var(--secondary-text-color); fill-opacity: 0.35; }
  .deck .place.used { fill: var(--secondary-text-color); fill-opacity: 0.12; }
  .deck .touched { fill: var(--secondary-text-color); fill-opacity: 0.8; }
  .deck .place.out { stroke-opacity: 0.55; stroke-dasharray: 1.2 1.6; }
  .deck .place.unknown { fill: var(--secondary-text-color); fill-opacity: 0.12; stroke-dasharray: 1.6 1.2; }
  .deck .place.nothing { stroke-opacity: 0.3; }
  .deck .place.filled { fill: var(--secondary-text-color); fill-opacity: 0.1; }
  .deck .place.rinse { fill: url(#none) var(--secondary-background-color); }
  .deck .place.parked { fill: var(--success-color, #43a047); fill-opacity: 0.75; }
  .deck .place.port { stroke-dasharray: 3 2; stroke-opacity: 0.8; }
  .deck .drop { stroke: rgb(0 0 0 / 25%); stroke-width: 0.4; }
  .deck .picked { fill: none; stroke: var(--primary-text-color); stroke-width: 1.6; }
  .deck .ring { fill: none; stroke: var(--primary-color); stroke-width: 2.4; }
  .deck .pulse { fill: none; stroke: var(--primary-color); stroke-width: 2; transform-box: fill-box; transform-origin: center;
    animation: pulse 1.6s ease-out infinite; }
  @keyframes pulse { from { transform: scale(1); opacity: 0.9; } to { transform: scale(2.6); opacity: 0; } }
  @media (prefers-reduced-motion: reduce) { .deck .pulse { display: none; } }
`;
