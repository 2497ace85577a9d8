/** The look and the texts that all cards share. Colours are Home Assistant's own, so a theme and the dark apply. */
const css = `
  :host { display: block; height: 100%; color: var(--primary-text-color); }
  .body, ha-card { height: 100%; }
  ha-card { display: flex; flex-direction: column; gap: 12px; padding: 16px; box-sizing: border-box; overflow: hidden; }
  h2 { margin: 0; font-size: 1.25rem; font-weight: 500; line-height: 1.3; }
  h3 { margin: 0; font-size: 1rem; font-weight: 500; }
  p { margin: 0; line-height: 1.45; }
  .note, .quiet { color: var(--secondary-text-color); }
  .quiet { font-size: 0.9rem; }
  .error { color: var(--error-color); }
  .visually-hidden { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
  button, input, select, textarea { font: inherit; color: inherit; box-sizing: border-box; }
  button { min-height: 44px; min-width: 44px; padding: 8px 18px; border-radius: 22px; border: 1px solid var(--divider-color);
    background: transparent; color: var(--primary-text-color); cursor: pointer; font-weight: 500; }
  button.primary { background: var(--primary-color); border-color: transparent; color: var(--text-primary-color, #fff); }
  button.danger { background: var(--error-color); border-color: transparent; color: #fff; }
  button.plain { border-color: transparent; color: var(--primary-color); }
  button:disabled { opacity: 0.5; cursor: not-allowed; }
  @media (hover: hover) { button:not(:disabled):hover { filter: brightness(1.08); } }
  :focus-visible { outline: 3px solid var(--primary-color); outline-offset: 2px; }
  dialog { width: min(440px, calc(100vw - 32px)); box-sizing: border-box; padding: 24px; border: none;
    border-radius: var(--ha-card-border-radius, 12px); color: var(--primary-text-color);
    background: var(--card-background-color, #fff); box-shadow: 0 8px 40px rgb(0 0 0 / 40%); }
  dialog::backdrop { background: rgb(0 0 0 / 50%); }
  dialog h2 + p, dialog p + p { margin-top: 12px; }
  .answers { display: flex; flex-wrap: wrap; justify-content: flex-end; gap: 8px; margin-top: 24px; }
  @media (prefers-reduced-motion: reduce) { * { animation: none !important; transition: none !important; } }
`;

const words = {
  en: {
    loading: "Asking the lab …",
    missing: "lab2mqtt is not set up. Add it under Settings, Devices & services.",
    unknown: "There is no device {device}. Choose another one in this card's settings.",
    lost_link: "No link to Home Assistant.",
    lost: "The link to Home Assistant was lost. Whether it was done is not known: look at the device.",
    not_now: "Not now",
  },
  de: {
    loading: "Das Labor wird gefragt …",
    missing: "lab2mqtt ist nicht eingerichtet. Unter Einstellungen, Geräte & Dienste, lässt es sich hinzufügen.",
    unknown: "Es gibt kein Gerät {device}. In den Einstellungen dieser Karte lässt sich ein anderes wählen.",
    lost_link: "Keine Verbindung zu Home Assistant.",
    lost: "Die Verbindung zu Home Assistant ging verloren. Ob es ausgeführt wurde, ist nicht bekannt: bitte am Gerät nachsehen.",
    not_now: "Jetzt nicht",
  },
};

export const shared = { css, words };
