/** The fields of a task's parameters, and what is in them; parameters are JSON Schema with `unit` beside it. */
import { h } from "./lab.js";

/** What a form holds at first: name → text, true or false. */
export function start(schema, given = {}) {
  const values = {};
  for (const [name, parameter] of Object.entries(schema.parameters ?? {})) {
    const value = given[name] ?? parameter.default;
    if (parameter.type === "boolean" && !parameter.enum) values[name] = value === true;
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
  const label = h("label", { for: id }, [parameter.title ?? nameOf(name), !required && !isCheck(parameter) && h("span", { class: "optional" }, ` ${words("optional")}`)]);
  const note = help && h("span", { class: "help", id: `${id}-help` }, help);
  if (isCheck(parameter)) {
    const box = h("input", { ...told, required: false, ...listen, type: "checkbox", checked: values[name] });
    return h("div", { class: "field", key: name }, [h("div", { class: "check" }, [box, label]), note]);
  }
  return h("div", { class: isLong(parameter) ? "field wide" : "field", key: name }, [label, input(parameter, values[name] ?? "", told, listen), note]);
}

function input(parameter, value, told, listen) {
  if (parameter.enum) {
    const options = parameter.enum.map((one) => h("option", { value: `${one}`, prop: { selected: `${one}` === value } }, `${one}`));
    const none = !told.required || value === "" ? [h("option", { value: "", prop: { selected: value === "" } }, "–")] : [];
    return h("select", { ...told, ...listen }, [...none, ...options]);
  }
  if (parameter.type === "integer" || parameter.type === "number") {
    const { minimum, maximum } = parameter;
    const box = h("input", {
      ...told, ...listen, value, type: "number", inputmode: parameter.type === "integer" && !(minimum < 0) ? "numeric" : "decimal",
      min: minimum, max: maximum, step: parameter.type === "integer" ? 1 : "any",
    });
    return parameter.unit ? h("div", { class: "box" }, [box, h("span", { class: "unit" }, parameter.unit)]) : box;
  }
  if (isLong(parameter)) {
    return h("textarea", { ...told, ...listen, value, spellcheck: "false", placeholder: parameter.type === "array" ? "[…]" : "{…}" });
  }
  return h("input", {
    ...told, ...listen, value, type: "text", pattern: parameter.pattern, minlength: parameter.minLength, maxlength: parameter.maxLength,
    autocomplete: "off",
  });
}

/** The parameters that a form means; null when a field is wrong, and then the browser shows which. */
export function valueOf(schema, values, form, words) {
  const read = {};
  for (const [name, parameter] of Object.entries({ ...schema.parameters, ...(schema.open ? { "…": { type: "object" } } : {}) })) {
    const control = form.querySelector(`#${CSS.escape(`field-${name}`)}`);
    const value = values[name];
    control.setCustomValidity("");
    if (isCheck(parameter)) {
      read[name] = value;
    } else if (value === "" || value === undefined) {
      // A number that cannot be read has no value either; left out is only what is empty.
      if (!control.validity.valid) return shown(control);
    } else {
      try {
        const meant = understood(parameter, value);
        if (name === "…") Object.assign(read, meant);
        else read[name] = meant;
      } catch {
        control.setCustomValidity(words(parameter.type === "array" ? "needs_list" : "needs_object"));
      }
      if (!control.validity.valid) return shown(control);
    }
  }
  return read;
}

function shown(control) {
  control.reportValidity();
  return null;
}

function understood(parameter, text) {
  if (parameter.enum) return parameter.enum.find((one) => `${one}` === text);
  if (parameter.type === "integer" || parameter.type === "number") return Number(text);
  if (plain(parameter)) return text;
  const value = JSON.parse(text);
  const isList = Array.isArray(value);
  if (parameter.type === "array" && !isList) throw new TypeError("no list");
  if (parameter.type === "object" && (isList || typeof value !== "object" || value === null)) throw new TypeError("no object");
  return value;
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

function limits({ type, minimum, maximum, unit, enum: choices }, words) {
  if ((type !== "integer" && type !== "number") || choices) return "";
  const end = unit ? ` ${unit}` : "";
  if (minimum !== undefined && maximum !== undefined) return `${minimum} – ${maximum}${end}`;
  if (minimum !== undefined) return words("at_least", { limit: `${minimum}${end}` });
  return maximum !== undefined ? words("at_most", { limit: `${maximum}${end}` }) : "";
}

function isCheck(parameter) {
  return parameter.type === "boolean" && !parameter.enum;
}

/** Whether it is written as it is, not as JSON. */
function plain(parameter) {
  return parameter.enum !== undefined || ["integer", "number", "string", "boolean"].includes(parameter.type);
}

function isLong(parameter) {
  return !plain(parameter);
}

function nameOf(name) {
  const words = name.replaceAll("_", " ");
  return words.charAt(0).toUpperCase() + words.slice(1);
}
