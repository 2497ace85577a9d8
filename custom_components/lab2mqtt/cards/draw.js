/**
 * Draws a tree of nodes into an element, and changes only what differs from the last time: so the focus, what
 * somebody types, and what is animated stay as they are.
 *
 *   draw(root, [h("button", { class: "stop", onclick: () => stop() }, "Stop"), cond && h("p", {}, text)])
 *
 * Properties: `class`, `style` and other attributes as text (false, null, undefined: none; true: an empty one),
 * `on…` a listener, `key` what a node is known by among its siblings, `prop` an object of JavaScript properties
 * that are set when they differ from the last time, `value` and `checked` likewise, but only as long as nobody types there.
 */
const SVG = "http://www.w3.org/2000/svg";
const drawn = new WeakMap(); // element → its properties when it was drawn last

/** A node to draw; children are nodes, texts, lists of them, or nothing (false, null, undefined). */
export function h(tag, properties, ...children) {
  return { tag, properties: properties ?? {}, children: flat(children) };
}

/** Make the children of `root` as `nodes` say. */
export function draw(root, nodes) {
  const wanted = flat([nodes]);
  const keys = new Set(wanted.map((node) => `${node.properties?.key}`));
  const keyed = new Map();
  for (const child of [...root.childNodes]) {
    const key = drawn.get(child)?.key;
    if (key === undefined) continue;
    // Gone first, so that what follows need not be moved: an element that is moved loses the focus.
    if (keys.has(`${key}`)) keyed.set(`${key}`, child);
    else child.remove();
  }
  let place = root.firstChild;
  for (const node of wanted) {
    let child;
    if (typeof node === "string") {
      child = place?.nodeType === Node.TEXT_NODE ? place : document.createTextNode(node);
      if (child.data !== node) child.data = node;
    } else {
      const { key } = node.properties;
      const same = key !== undefined ? keyed.get(`${key}`) : place;
      child = fits(same, node) ? same : create(node, root);
      change(child, node.properties);
      if (!node.properties.prop || !("innerHTML" in node.properties.prop)) draw(child, node.children);
    }
    if (child === place) place = place.nextSibling;
    else root.insertBefore(child, place);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== true && child !== "")
    .map((child) => (typeof child === "object" ? child : `${child}`));
}

function fits(child, node) {
  return (
    child?.nodeType === Node.ELEMENT_NODE &&
    child.localName === node.tag.toLowerCase() &&
    drawn.has(child) &&
    drawn.get(child).key === node.properties.key
  );
}

function create(node, root) {
  const inSvg = node.tag === "svg" || (root.namespaceURI === SVG && root.localName !== "foreignObject");
  const child = inSvg ? document.createElementNS(SVG, node.tag) : document.createElement(node.tag);
  drawn.set(child, { key: node.properties.key });
  return child;
}

function change(child, now) {
  const before = drawn.get(child);
  for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
    if (name === "key") continue;
    const [old, value] = [before[name], now[name]];
    if (name.startsWith("on")) {
      if (old === value) continue;
      if (old) child.removeEventListener(name.slice(2), old);
      if (value) child.addEventListener(name.slice(2), value);
    } else if (name === "prop") {
      for (const [key, wanted] of Object.entries(value ?? {})) {
        if (old?.[key] !== wanted) child[key] = wanted;
      }
    } else if ((name === "value" || name === "checked") && child.localName !== "option") {
      if (old !== value && child[name] !== value) child[name] = value ?? "";
    } else if (value === false || value === null || value === undefined) {
      child.removeAttribute(name);
    } else if (old !== value) {
      child.setAttribute(name, value === true ? "" : `${value}`);
    }
  }
  drawn.set(child, now);
}
