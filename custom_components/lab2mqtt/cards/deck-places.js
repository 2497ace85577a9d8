/** The deck as the state of an OT-2 tells it: labware by slot, places, what is in each. Lengths in mm. */
import { colourOf, mixture, parts } from "./liquids.js";

export const SLOT = { width: 127.76, height: 85.48, right: 132.5, up: 90.5 }; // of docs.opentrons.com
export const TRASH = "12";
const GUTTER = 18; // left of the wells, for the number of the slot

/** The corner of a slot, left and back, of a deck that is seen from above; slot 1 stands left in front. */
export function corner(slot) {
  const index = Number(slot) - 1;
  return { x: (index % 3) * SLOT.right, y: (3 - Math.floor(index / 3)) * SLOT.up };
}

/** The labware in a slot with all its places, or undefined where the slot is empty. */
export function labwareIn(state, slot) {
  const told = state.deck?.slots?.[slot];
  if (!told) return undefined;
  const rows = told.places.length;
  const columns = Math.max(...told.places.map((row) => row.length));
  const cell = Math.min((SLOT.width - GUTTER - 6) / columns, (SLOT.height - 10) / rows, 40);
  const left = GUTTER + (SLOT.width - GUTTER - 6 - columns * cell) / 2;
  const top = (SLOT.height - rows * cell) / 2;
  const labware = { slot, kind: told.use, name: told.labware, limit: told.limit, rows, columns, cell, left, top };
  labware.places = told.places.flatMap((row, y) =>
    [...row].flatMap((letter, x) =>
      letter === " "
        ? []
        : [{ ...place(state, told, slot, x, y, letter), x: left + (x + 0.5) * cell, y: top + (y + 0.5) * cell }],
    ),
  );
  return labware;
}

function place(state, told, slot, column, row, letter) {
  const well = `${rowName(row)}${column + 1}`;
  const vial = told.vials?.[well];
  const found = { well, column, row, at: `${slot}/${well}`, vial, letter, liquids: [], volume: 0, share: 0, colour: "" };
  if (told.use === "tips") return { ...found, is: { n: "new", u: "used", o: "out" }[letter] ?? "unknown" };
  if (letter === "p") return { ...found, is: state.sensor === "parked" ? "parked" : state.sensor === "held" ? "port" : "unknown" };
  if (letter === "r") return { ...found, is: "rinse" };
  if (letter === ".") return { ...found, is: "nothing" };
  if (vial) {
    const is = vial.volume === null ? "unknown" : vial.usable > 0 ? "vial" : "spent";
    const share = vial.full ? Math.min(1, (vial.volume ?? 0) / vial.full) : 0;
    return { ...found, is, volume: vial.volume, share, colour: colourOf(vial.liquid) };
  }
  if (letter === "?") return { ...found, is: "unknown", volume: null };
  const used = state.plate?.[found.at];
  if (!used) return { ...found, is: letter === "l" ? "filled" : "empty" };
  const liquids = parts(used.contents);
  return {
    ...found,
    is: "filled",
    liquids,
    volume: used.volume,
    experiment: used.experiment,
    share: told.limit ? Math.min(1, used.volume / told.limit) : 1,
    colour: mixture(liquids),
  };
}

/** A, B … Z, AA, as rows are called. */
export function rowName(row) {
  const letter = String.fromCharCode(65 + (row % 26));
  return row < 26 ? letter : rowName(Math.floor(row / 26) - 1) + letter;
}

/** The radius of the drop that stands for a volume: its area is the share, and a little is still to be seen. */
export function drop(share, radius) {
  return radius * Math.sqrt(Math.max(0.12, Math.min(1, share)));
}

/** How many tips of a rack are certainly there, and of how many places. */
export function tipsLeft(labware) {
  const there = labware.places.filter((one) => one.is === "new" || one.is === "used").length;
  const unknown = labware.places.filter((one) => one.is === "unknown").length;
  return { there, unknown, all: labware.places.length };
}
