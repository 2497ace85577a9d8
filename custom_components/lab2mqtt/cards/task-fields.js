/** The fields of a task's parameters, and what is in them; parameters are JSON Schema with `unit` beside it. */
import { h } from "./lab.js";

const LINE = 255; // characters; what may be longer gets several lines

/** What a form holds at first: name → text, true or false. */
export function start(schema, given = {}) {
  const values = {};
  for (const [name, parameter] of Object.entries(schema.parameters ?? {})) {
    const value = given[name] ?? parameter.default;
    if (isCheck(parameter, (schema.required ?? []).includes(name))) values[name] = value === true;
    else if (value === undefined || value === null) values[name] = "";
    else values[name] = plain(parameter) ? `${value}` : JSON.stringify(value);
  }
  return values;
}

/** One field with its label, limits and help. */
export function field(name, parameter, values, { required, words }) {
  const id = `field-${name}`;
  const help = [parameter.description, limits(parameter, words)].filter(Boolean).join(" ");
  const told = { id, "aria-describedby": help ? `${id}-help` : null, required };
  const listen = { oninput: listener(values, name) };
  const check = isCheck(parameter, required);
  const optional = !required && !check && h("span", { class: "optional" }, ` ${words("optional")}`);
  const label = h("label", { for: id }, [parameter.title ?? nameOf(name), optional]);
  const note = help && h("span", { class: "help", id: `${id}-help` }, help);
  if (check) {
    const box = h("input", { ...told, required: false, ...listen, type: "checkbox", checked: values[name] });
    return h("div", { class: "field", key: name }, [h("div", { class: "check" }, [box, label]), note]);
  }
  const control = input(parameter, values[name] ?? "", told, listen, words);
  return h("div", { class: isLong(parameter) ? "field wide" : "field", key: name }, [label, control, note]);
}

function input(parameter, value, told, listen, words) {
  const type = typeOf(parameter);
  const choices = choicesOf(parameter, words);
  if (choices) {
    const option = ([text, name]) => h("option", { key: text, value: text, prop: { selected: text === value } }, name);
    const none = !told.required || value === "" ? [["", "–"]] : [];
    return h("select", { ...told, ...listen }, [...none, ...choices].map(option));
  }
  if (isNumber(parameter)) {
    const { minimum, maximum } = parameter;
    const whole = type === "integer";
    const box = h("input", {
      ...told, ...listen, value, type: "number", min: minimum, max: maximum, step: whole ? 1 : "any",
      inputmode: whole && !(minimum < 0) ? "numeric" : "decimal",
    });
    return parameter.unit ? h("div", { class: "box" }, [box, h("span", { class: "unit" }, parameter.unit)]) : box;
  }
  const length = plain(parameter) ? { minlength: parameter.minLength, maxlength: parameter.maxLength } : {};
  if (!isLong(parameter)) return h("input", { ...told, ...listen, ...length, value, type: "text", autocomplete: "off" });
  const example = plain(parameter) ? null : type === "array" ? "[…]" : "{…}";
  return h("textarea", { ...told, ...listen, ...length, value, spellcheck: "false", placeholder: example });
}

/** The parameters that a form means; null when a field is wrong, and then the browser shows which. */
export function valueOf(schema, values, form, words) {
  const read = {};
  const others = schema.open ? { "…": { type: "object" } } : {};
  for (const [name, parameter] of Object.entries({ ...schema.parameters, ...others })) {
    const control = form.querySelector(`#${CSS.escape(`field-${name}`)}`);
    const value = values[name];
    control.setCustomValidity("");
    if (isCheck(parameter, (schema.required ?? []).includes(name))) {
      read[name] = value;
    } else if (value === "" || value === undefined) {
      // A number that cannot be read has no value either; left out is only what is empty.
      if (!control.validity.valid) return shown(control);
    } else {
      const wrong = complaint(parameter, value, words);
      if (wrong) control.setCustomValidity(wrong);
      if (!control.validity.valid) return shown(control);
      const meant = understood(parameter, value);
      if (name === "…") Object.assign(read, meant);
      else read[name] = meant;
    }
  }
  return read;
}

/** What is wrong with a text that the browser itself does not check; empty if nothing is. */
function complaint(parameter, text, words) {
  const type = typeOf(parameter);
  if (plain(parameter)) {
    // Not the attribute of that name: it has another dialect, in which many patterns are no patterns.
    const fits = !parameter.pattern || isNumber(parameter) || parameter.enum || new RegExp(parameter.pattern).test(text);
    return fits ? "" : words("needs_pattern", { pattern: parameter.pattern });
  }
  try {
    const value = JSON.parse(text);
    if (type === "array") return Array.isArray(value) ? "" : words("needs_list");
    return type !== "object" || (value !== null && typeof value === "object" && !Array.isArray(value)) ? "" : words("needs_object");
  } catch {
    return words(type === "array" ? "needs_list" : "needs_object");
  }
}

function shown(control) {
  control.reportValidity();
  return null;
}

function understood(parameter, text) {
  if (parameter.enum) return parameter.enum.find((one) => `${one}` === text);
  if (typeOf(parameter) === "boolean") return text === "true";
  if (isNumber(parameter)) return Number(text);
  return plain(parameter) ? text : JSON.parse(text);
}

function listener(values, name) {
  // One for each field, kept, so that it is not taken away and put back with every drawing.
  const kept = (listeners.get(values) ?? listeners.set(values, new Map()).get(values));
  if (!kept.has(name)) {
    kept.set(name, (event) => {
      const control = event.currentTarget;
      control.setCustomValidity("");
      values[name] = control.type === "checkbox" ? control.checked : control.value;
    });
  }
  return kept.get(name);
}

const listeners = new WeakMap();

function limits(parameter, words) {
  const { minimum, maximum, unit } = parameter;
  if (!isNumber(parameter)) return "";
  const end = unit ? ` ${unit}` : "";
  if (minimum !== undefined && maximum !== undefined) return `${minimum} – ${maximum}${end}`;
  if (minimum !== undefined) return words("at_least", { limit: `${minimum}${end}` });
  return maximum !== undefined ? words("at_most", { limit: `${maximum}${end}` }) : "";
}

/** Its type, or the first of several; that it may be null as well is the same as leaving it out. */
function typeOf(parameter) {
  return [parameter.type].flat().find((one) => one !== "null");
}

function isNumber(parameter) {
  return !parameter.enum && ["integer", "number"].includes(typeOf(parameter));
}

/** Yes or no; where neither may be said, it is a choice of three. */
function isCheck(parameter, required) {
  return typeOf(parameter) === "boolean" && !parameter.enum && (required || typeof parameter.default === "boolean");
}

/** The choices of a list, each with its name; null where it is none. */
function choicesOf(parameter, words) {
  if (typeOf(parameter) === "boolean" && !parameter.enum) return [["true", words("yes")], ["false", words("no")]];
  return parameter.enum?.filter((one) => one !== null).map((one) => [`${one}`, `${one}`]) ?? null;
}

/** Whether it is written as it is, not as JSON. */
function plain(parameter) {
  return parameter.enum !== undefined || ["integer", "number", "string", "boolean"].includes(typeOf(parameter));
}

function isLong(parameter) {
  return !plain(parameter) || (typeOf(parameter) === "string" && !parameter.enum && parameter.maxLength > LINE);
}

function nameOf(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
