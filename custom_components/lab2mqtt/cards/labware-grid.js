/** One labware, large: its places as buttons that the arrow keys walk through. */
import { h } from "./lab.js";
import { rowName } from "./deck-places.js";

/**
 * Draw it.
 *
 * @param labware As `labwareIn` gives it.
 * @param well The one that is chosen, or undefined.
 * @param step The place where the robot works, or undefined.
 * @param title Its name for who does not see it.
 * @param label Gives what is in a place, in words.
 * @param choose Called with the well.
 */
export function drawGrid({ labware, well, step, title, label, choose }) {
  const { rows, columns } = labware;
  const stop = labware.places.some((place) => place.well === well) ? well : labware.places[0].well;
  const byRow = Array.from({ length: rows }, (_, row) => labware.places.filter((place) => place.row === row));
  return h(
    "div",
    { class: "scroll" },
    h(
      "div",
      {
        class: "grid",
        role: "grid",
        "aria-label": title,
        style: `--columns: ${columns}`,
        onkeydown: (event) => walk(event, labware, choose),
      },
      h(
        "div",
        { class: "row", role: "row" },
        h("span", { class: "corner", role: "columnheader" }),
        Array.from({ length: columns }, (_, column) => h("span", { class: "name", role: "columnheader" }, `${column + 1}`)),
      ),
      byRow.map((places, row) =>
        h(
          "div",
          { class: "row", role: "row" },
          h("span", { class: "name side", role: "rowheader" }, rowName(row)),
          places.map((place) =>
            h(
              "button",
              {
                key: place.well,
                class: `well ${place.is}${place.at === step ? " now" : ""}`,
                role: "gridcell",
                tabindex: place.well === stop ? 0 : -1,
                "data-well": place.well,
                "aria-label": label(place),
                "aria-selected": `${place.well === well}`,
                title: label(place),
                style: `grid-column: ${place.column + 2}; --colour: ${place.colour || "transparent"}; --size: ${size(place)}`,
                onclick: () => choose(place.well),
              },
              h("span", { class: "drop", "aria-hidden": "true" }, sign(place)),
            ),
          ),
        ),
      ),
    ),
  );
}

function size(place) {
  return place.colour && place.share > 0 ? Math.sqrt(Math.max(0.12, place.share)).toFixed(3) : "0";
}

function sign(place) {
  return { unknown: "?", rinse: "~", parked: "●", port: "○", spent: "!" }[place.is] ?? "";
}

/** Move the choice and the focus: arrows, Home and End within a row. */
function walk(event, labware, choose) {
  const here = labware.places.find((place) => place.well === event.target.dataset?.well);
  if (!here) return;
  const along = (list, by) => list[list.indexOf(here) + by];
  const row = labware.places.filter((place) => place.row === here.row);
  const column = labware.places.filter((place) => place.column === here.column);
  const next = {
    ArrowLeft: () => along(row, -1),
    ArrowRight: () => along(row, 1),
    ArrowUp: () => along(column, -1),
    ArrowDown: () => along(column, 1),
    Home: () => row[0],
    End: () => row.at(-1),
  }[event.key]?.();
  if (!next) return;
  event.preventDefault();
  choose(next.well);
  event.currentTarget.querySelector(`[data-well="${next.well}"]`).focus();
}

export const gridCss = `
  .scroll { --ground: var(--secondary-background-color, #e5e5e5); overflow-x: auto; margin: 0 -4px; padding: 4px; scrollbar-width: thin;
    background: /* a shadow where there is more to the side */
      linear-gradient(to left, var(--ground) 40%, transparent) right / 32px 100% no-repeat local,
      linear-gradient(to right, var(--ground) 40%, transparent) left / 32px 100% no-repeat local,
      linear-gradient(to left, rgb(0 0 0 / 28%), transparent) right / 14px 100% no-repeat scroll,
      linear-gradient(to right, rgb(0 0 0 / 28%), transparent) left / 14px 100% no-repeat scroll; }
  .grid { --least: 26px; display: flex; flex-direction: column; width: max-content; min-width: 100%; }
  @media (pointer: coarse) { .grid { --least: 45px; } }
  .grid .row { display: grid; grid-template-columns: 24px repeat(var(--columns), minmax(var(--least), 1fr)); align-items: center; }
  .grid .name { text-align: center; font-size: 0.8rem; color: var(--secondary-text-color); line-height: 20px; }
  .grid .side { position: sticky; left: -4px; z-index: 1; background: var(--ground); align-self: stretch;
    display: flex; align-items: center; justify-content: center; }
  .grid .well { all: unset; box-sizing: border-box; aspect-ratio: 1; width: 100%; max-width: 72px; min-width: var(--least);
    justify-self: center; display: grid; place-items: center; cursor: pointer; border-radius: 50%; position: relative; }
  .grid .well::before { content: ""; position: absolute; inset: 6%; border-radius: 50%; box-sizing: border-box;
    border: 1.5px solid color-mix(in srgb, var(--secondary-text-color) 55%, transparent); background: var(--card-background-color, #fff); }
  .grid .well .drop { position: relative; width: calc(84% * var(--size)); aspect-ratio: 1; border-radius: 50%;
    background: var(--colour); display: grid; place-items: center; font-size: 0.9rem; line-height: 1; overflow: visible;
    box-shadow: inset 0 0 0 1px rgb(0 0 0 / 20%); }
  .grid .well:is(.unknown, .rinse, .parked, .port, .spent, .new, .used, .empty, .out, .nothing) .drop { box-shadow: none; }
  .grid .well.unknown::before, .grid .well.out::before, .grid .well.port::before { border-style: dashed; }
  .grid .well.new::before { background: color-mix(in srgb, var(--secondary-text-color) 45%, var(--card-background-color, #fff)); }
  .grid .well.used::before { background: radial-gradient(circle, var(--secondary-text-color) 34%, transparent 36%), var(--card-background-color, #fff); }
  .grid .well.nothing::before, .grid .well.out::before { opacity: 0.5; }
  .grid .well.parked .drop { color: var(--success-color, #43a047); }
  .grid .well[aria-selected="true"]::before { border: 3px solid var(--primary-text-color); inset: 2%; }
  .grid .well.now::after { content: ""; position: absolute; inset: -1px; border-radius: 50%; border: 3px solid var(--primary-color); }
  .grid .well:focus-visible { outline: 3px solid var(--primary-color); outline-offset: 0; }
`;
