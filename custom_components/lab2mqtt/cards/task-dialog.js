/** The form of a task in a dialog, with some of its parameters filled in. */
import { draw, h } from "./lab.js";
import "./task-card.js";

/** Open it over a card; it closes by its button or Escape. */
export function openTask(card, device, task, parameters) {
  const form = document.createElement("lab2mqtt-task-card");
  form.setConfig({ device: device.device_id, lab: device.entry_id, task, parameters });
  form.hass = card.hass;
  const dialog = document.createElement("dialog");
  dialog.className = "task";
  dialog.setAttribute("aria-label", card.taskName(task));
  draw(dialog, [
    h("div", { class: "form" }),
    h("div", { class: "answers" }, h("button", { class: "plain", onclick: () => dialog.close() }, card.word("close"))),
  ]);
  dialog.querySelector(".form").append(form);
  dialog.addEventListener("close", () => dialog.remove());
  card.shadowRoot.append(dialog);
  dialog.showModal();
}
