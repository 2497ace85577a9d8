/** The look of the deck card. */
export const css = `
  @container (min-width: 760px) {
    .halves { grid-template: "map stock" / minmax(0, 6fr) minmax(0, 5fr); gap: 20px; }
    .halves.opened { grid-template: "map panel" auto "stock panel" 1fr / minmax(0, 6fr) minmax(0, 5fr); }
    .map { grid-area: map; }
    .stock { grid-area: stock; }
    .panel { grid-area: panel; }
  }
  .facts { display: flex; flex-wrap: wrap; gap: 8px; }
  .fact { padding: 2px 10px; border-radius: 12px; font-size: 0.9rem; line-height: 22px;
    background: var(--secondary-background-color, rgb(127 127 127 / 12%)); }
  .fact.warn, .fact.active { background: color-mix(in srgb, var(--tone) 22%, transparent); }
  .list { margin: 0; padding: 0; list-style: none; display: grid; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr)); gap: 2px 24px; }
  .list li { display: flex; align-items: center; gap: 8px; min-height: 32px; }
  .list strong { margin-inline-start: auto; font-weight: 500; white-space: nowrap; }
  .swatch { width: 14px; height: 14px; border-radius: 50%; box-shadow: inset 0 0 0 1px rgb(0 0 0 / 20%); flex: none; }
  .swatch.tips { background: color-mix(in srgb, var(--secondary-text-color) 45%, var(--card-background-color, #fff)); }
  .place-told { display: flex; flex-direction: column; gap: 8px; }
  .bar { display: flex; height: 12px; border-radius: 6px; overflow: hidden; background: var(--card-background-color, #fff); }
  .uses { display: flex; flex-direction: column; gap: 8px; }
  button.small { border-radius: 12px; padding: 8px 14px; background: var(--card-background-color, #fff); }
  .renewal { padding-top: 12px; border-top: 1px solid var(--divider-color); }
  .buttons:empty, .facts:empty { display: none; }
  .run { display: flex; flex-direction: column; gap: 6px; }
  .run .line { display: flex; flex-wrap: wrap; align-items: baseline; gap: 2px 12px; }
  .run .percent { margin-inline-start: auto; font-variant-numeric: tabular-nums; }
  .progress { height: 8px; border-radius: 4px; overflow: hidden; background: var(--divider-color); }
  .progress span { display: block; height: 100%; border-radius: 4px; background: var(--primary-color); transition: width 0.4s; }
  .progress.held span { background: var(--warning-color, #ffa600); }
  .progress.endless span { width: 30%; animation: slide 1.6s ease-in-out infinite alternate; }
  @keyframes slide { to { margin-inline-start: 70%; } }
  .last { overflow-wrap: anywhere; }
`;
