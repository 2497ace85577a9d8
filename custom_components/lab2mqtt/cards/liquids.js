/** What is in a well, and the colour in which it is shown. */

const KNOWN = {
  red: [222, 56, 49],
  yellow: [252, 212, 40],
  blue: [40, 104, 222],
  green: [46, 160, 90],
  orange: [245, 140, 40],
  purple: [130, 70, 180],
  black: [40, 40, 44],
  water: [140, 200, 240],
};
const DARKEST = 0.04; // of 1; a pure zero would make every mixture black

/** The liquids of a label of the device, "red 100, yellow 50": [{ liquid, volume }], volumes in µL. */
export function parts(label) {
  return [...(label ?? "").matchAll(/(.+?) (\d[\d.e+-]*)(?:, |$)/g)].map(([, liquid, volume]) => ({
    liquid,
    volume: Number(volume),
  }));
}

/** The colour of one liquid, as CSS has it; a name that is no colour gets one of its own, always the same. */
export function colourOf(liquid) {
  return css(rgb(liquid));
}

/** The colour of a mixture. Paint takes light away, so shares multiply: yellow and blue make green. */
export function mixture(liquids) {
  const whole = liquids.reduce((sum, one) => sum + one.volume, 0);
  if (!whole) return "transparent";
  const mixed = [0, 1, 2].map((channel) =>
    liquids.reduce(
      (product, one) => product * Math.max(DARKEST, rgb(one.liquid)[channel] / 255) ** (one.volume / whole),
      1,
    ),
  );
  return css(mixed.map((share) => Math.round(share * 255)));
}

function rgb(liquid) {
  const name = liquid.toLowerCase();
  if (KNOWN[name]) return KNOWN[name];
  let sum = 0;
  for (const letter of name) sum = (sum * 31 + letter.codePointAt(0)) % 360;
  return fromHue(sum);
}

/** A hue of 0 to 360 at a middle saturation and lightness. */
function fromHue(hue) {
  return [0, 8, 4].map((shift) => {
    const k = (shift + hue / 30) % 12;
    return Math.round(255 * (0.5 - 0.32 * Math.max(-1, Math.min(k - 3, 9 - k, 1))));
  });
}

function css([red, green, blue]) {
  return `rgb(${red} ${green} ${blue})`;
}
