/** The carousel of a plate resort seen from above: hotels at their angles around the axis, the opening in front. */
import { h } from "./lab.js";

const HALF = 150; // of the drawing
const TURNTABLE = 128;
const OUTER = 118; // and where it ends
const LONGEST = 9; // letters of a name
const OPENING = 42; // half of its width

/**
 * Draw it.
 *
 * @param hotels By name: angle, count, plates.
 * @param rooms How many plates a hotel takes, or null.
 * @param turned How far the carousel is turned, in degrees; goes on over 360, so that it never turns the long way.
 * @param active The hotel that faces the opening, or null.
 * @param chosen The hotel that is open, or null.
 * @param target Where it is going to, in degrees as `turned`, or null.
 * @param opening The word for it.
 * @param label Gives the name of a hotel for who does not see it.
 * @param choose Called with the hotel's name.
 */
export function drawCarousel({ hotels, rooms, turned, active, chosen, target, title, opening, label, choose }) {
  const placed = Object.entries(hotels).filter(([, hotel]) => hotel.angle !== null);
  const pitch = 360 / Math.max(1, placed.length);
  const inner = Math.min(88, 46 + 6 * Math.max(0, placed.length - 4)); // where a hotel begins
  const half = Math.min(47, inner * Math.tan((Math.min(pitch, 120) * Math.PI) / 360) - 2);
  return h(
    "svg",
    {
      class: "drawing carousel",
      viewBox: `${-HALF} ${-HALF + 12} ${2 * HALF} ${2 * HALF + 10}`,
      role: "group",
      "aria-label": title,
    },
    h("path", {
      class: `gate${active ? " met" : ""}`,
      d: `M${-OPENING - 10} ${TURNTABLE + 7} h10 v14 h${2 * OPENING} v-14 h10`,
    }),
    h("text", { class: "opening", x: 0, y: TURNTABLE + 34, "text-anchor": "middle" }, opening),
    h("circle", { class: "table", r: TURNTABLE }),
    h(
      "g",
      { class: "turning", style: `transform: rotate(${-turned}deg)` },
      placed.map(([name, hotel]) =>
        drawHotel(name, hotel, { rooms, inner, half, turned, active, chosen, label: label(name, hotel), choose }),
      ),
      h("circle", { class: "axis", r: 14 }),
      target !== null &&
        h(
          "g",
          { key: "target", style: `transform: rotate(${target}deg)` },
          h("path", { class: "target", d: `M0 ${TURNTABLE + 4} l-6 9 h12 z` }),
        ),
    ),
    h("circle", { class: "hub", r: 5 }),
  );
}

function drawHotel(name, hotel, { rooms, inner, half, turned, active, chosen, label, choose }) {
  const use = () => choose(name);
  const kind = `hotel${active === name ? " active" : ""}${chosen === name ? " open" : ""}`;
  const share = rooms ? Math.min(1, hotel.count / rooms) : 0;
  const height = OUTER - inner;
  const words = name.length > LONGEST ? `${name.slice(0, LONGEST - 1)}…` : name;
  const size = Math.max(8, Math.min(22, half * 0.6, (2 * half - 8) / (0.68 * words.length)));
  return h(
    "g",
    {
      key: name,
      class: kind,
      style: `transform: rotate(${hotel.angle}deg)`,
      role: "button",
      tabindex: 0,
      "data-hotel": name,
      "aria-label": label,
      "aria-expanded": `${chosen === name}`,
      onclick: use,
      onkeydown: (event) => {
        if (event.key !== "Enter" && event.key !== " ") return;
        event.preventDefault();
        use();
      },
    },
    h("rect", { class: "case", x: -half, y: inner, width: 2 * half, height, rx: 7 }),
    share > 0 && h("rect", { class: "fill", x: -half + 5, y: OUTER - 9, width: (2 * half - 10) * share, height: 4, rx: 2 }),
    h("rect", { class: "track", x: -half + 5, y: OUTER - 9, width: 2 * half - 10, height: 4, rx: 2 }),
    // The words stay upright whichever way the carousel stands.
    h(
      "g",
      { class: "upright", style: `transform: translate(0px, ${inner + height / 2 - 4}px) rotate(${turned - hotel.angle}deg)` },
      h("text", { class: "name", style: `font-size: ${size}px`, "text-anchor": "middle", y: 3 }, words),
      h("text", { class: "count", "text-anchor": "middle", y: 18 }, rooms ? `${hotel.count}/${rooms}` : `${hotel.count}`),
    ),
  );
}

export const carouselCss = `
  .carousel { max-width: 420px; margin: 0 auto; }
  .carousel .table { fill: var(--secondary-background-color, rgb(127 127 127 / 12%)); stroke: var(--divider-color); stroke-width: 2; }
  .carousel .axis { fill: var(--card-background-color, #fff); stroke: var(--divider-color); stroke-width: 2; }
  .carousel .hub { fill: var(--secondary-text-color); }
  .carousel .gate { fill: none; stroke: var(--secondary-text-color); stroke-width: 4; stroke-linecap: round; stroke-linejoin: round; }
  .carousel .gate.met { stroke: var(--success-color, #43a047); }
  .carousel .opening { font-size: 11px; fill: var(--secondary-text-color); }
  .carousel .turning, .carousel .upright { transition: transform 0.55s linear; }
  .carousel .still, .carousel .still * { transition: none; }
  .carousel .hotel { cursor: pointer; outline: none; }
  .carousel .case { fill: var(--card-background-color, #fff); stroke: var(--divider-color); stroke-width: 1.5; }
  .carousel .hotel.active .case { fill: color-mix(in srgb, var(--success-color, #43a047) 22%, var(--card-background-color, #fff));
    stroke: var(--success-color, #43a047); stroke-width: 2.5; }
  .carousel .hotel.open .case { stroke: var(--primary-color); stroke-width: 3.5; }
  .carousel .hotel:focus-visible .case { stroke: var(--primary-color); stroke-width: 5; }
  @media (hover: hover) { .carousel .hotel:hover .case { stroke: var(--primary-color); } }
  .carousel .name { font-weight: 500; }
  .carousel .count { font-size: 11px; fill: var(--secondary-text-color); }
  .carousel .track { fill: var(--secondary-text-color); opacity: 0.18; }
  .carousel .fill { fill: var(--primary-color); }
  .carousel .target { fill: var(--primary-color); }
  @media (prefers-reduced-motion: reduce) { .carousel .turning, .carousel .upright { transition: none; } }
`;
