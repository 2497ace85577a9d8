/** The pictures on buttons, as lines on a square of 24. */
import { h } from "./lab.js";

const PATHS = {
  back: "M9 14 4 9l5-5 M4 9h10a6 6 0 0 1 0 12h-3",
  cross: "M6 6 18 18 M18 6 6 18",
  end: "M6 6h12v12H6z",
  hand: "M8 3h8l5 5v8l-5 5H8l-5-5V8z M8 12h8",
  home: "M4 11 12 4l8 7 M6.5 9.5V20h11V9.5",
  pause: "M8 5v14 M16 5v14",
  play: "M7 4.5v15l12-7.5z",
  turn: "M20 12a8 8 0 1 1-2.6-5.9 M20 3v5h-5",
};

/** A picture by its name; who does not see it reads the button's words. */
export function icon(name) {
  return h("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true" }, h("path", { d: PATHS[name] }));
}
