// The style of the component. Pages change it through the variables `--frontrow-…` (docs/component.md).

export const COLOURS = [
  'available',
  'mine',
  'reserved',
  'booked',
  'mark',
  'background',
  'floor',
  'text',
  'muted',
] as const;

const CSS = `
:host {
  color-scheme: light dark;
  --available: var(--frontrow-available, light-dark(#1d7f4c, #3fb878));
  --mine: var(--frontrow-mine, light-dark(#2463d4, #6b9dff));
  --reserved: var(--frontrow-reserved, light-dark(#77737f, #8b8695));
  --booked: var(--frontrow-booked, light-dark(#c42f38, #f0666c));
  --mark: var(--frontrow-mark, light-dark(#ffffff, #10141c));
  --background: var(--frontrow-background, light-dark(#ffffff, #1c1a23));
  --floor: var(--frontrow-floor, light-dark(#f1efeb, #28252f));
  --text: var(--frontrow-text, light-dark(#1c1a22, #f3f1f7));
  --muted: var(--frontrow-muted, light-dark(#5c5866, #aea8ba));
  --line: var(--frontrow-line, light-dark(#e2dfd8, #3a3645));
  --accent: var(--frontrow-accent, light-dark(#5a3fd6, #ab9bff));
  --on-accent: var(--frontrow-on-accent, light-dark(#ffffff, #17132a));
  --calm: var(--frontrow-notice, light-dark(#fdf1dc, #35270f));
  --on-calm: var(--frontrow-on-notice, light-dark(#6b4000, #f1bd6c));
  --radius: var(--frontrow-radius, 0.625rem);
  display: block;
  container-type: inline-size;
  background: var(--background);
  color: var(--text);
  border-radius: var(--radius);
  font: 400 1rem / 1.5 var(--frontrow-font, system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif);
}
:host([hidden]) { display: none; }
:host([theme='light']) { color-scheme: light; }
:host([theme='dark']) { color-scheme: dark; }
*, *::before, *::after { box-sizing: border-box; }
[hidden] { display: none !important; }
.probes { position: absolute; visibility: hidden; }
.probes span { transition: color 1ms; }
.said {
  position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.component { position: relative; display: grid; gap: 1rem; padding: 1rem; grid-template-columns: minmax(0, 1fr); }
.hall { display: grid; gap: 0.75rem; min-width: 0; grid-template-columns: minmax(0, 1fr); align-content: start; }
.bar { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; justify-content: space-between; }
.zoom { display: flex; gap: 0.25rem; }
.find { display: flex; gap: 0.25rem; align-items: center; min-width: 0; }
button, input, select { font: inherit; color: inherit; }
.button {
  min-width: 2.5rem; min-height: 2.5rem; padding: 0.25rem 0.75rem; border: 1px solid var(--line);
  border-radius: calc(var(--radius) * 0.7); background: var(--background); cursor: pointer;
}
.button:hover { border-color: var(--muted); }
.button:disabled { opacity: 0.55; cursor: default; }
.zoom .button { display: grid; place-items: center; padding: 0; }
.zoom svg { width: 1.125rem; height: 1.125rem; fill: none; stroke: currentcolor; stroke-width: 2; stroke-linecap: round; stroke-linejoin: round; }
.main {
  background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 600; width: 100%;
}
.main:hover { border-color: var(--text); }
:is(.button, input, select, .price, summary):focus-visible, .price:has(:focus-visible) { outline: 2px solid var(--accent); outline-offset: 2px; }
.find input {
  width: 7.5rem; min-width: 0; min-height: 2.5rem; padding: 0.25rem 0.625rem; border: 1px solid var(--line);
  border-radius: calc(var(--radius) * 0.7); background: var(--background);
}
.find select {
  min-height: 2.5rem; padding: 0.25rem 0.5rem; border: 1px solid var(--line); border-radius: calc(var(--radius) * 0.7);
  background: var(--background);
}
.find input::placeholder { color: var(--muted); opacity: 1; }
.stage {
  position: relative; overflow: clip; direction: ltr; height: var(--frontrow-height, auto); aspect-ratio: var(--ratio, 1.6);
  width: 100%; min-height: 13rem; max-height: var(--frontrow-height, min(38rem, 80vh));
  border: 1px solid var(--line); border-radius: var(--radius); background: var(--background);
  touch-action: pan-y; user-select: none; -webkit-user-select: none; cursor: default;
}
.stage[data-zoomed] { touch-action: none; cursor: grab; }
.stage[data-zoomed]:active { cursor: grabbing; }
.stage[data-over='seat'] { cursor: pointer; }
canvas { display: block; }
.stage canvas { position: absolute; inset: 0; width: 100%; height: 100%; pointer-events: none; }
.seats { position: absolute; inset: 0 auto auto 0; width: 0; height: 0; transform-origin: 0 0; }
.seats button {
  position: absolute; width: 32px; height: 32px; padding: 0; border: 0; background: none; border-radius: 30%;
  cursor: inherit; outline: none; -webkit-tap-highlight-color: transparent; touch-action: inherit;
}
.seats button:focus-visible {
  outline: calc(3 * var(--pixel, 1px)) solid var(--text); outline-offset: calc(1 * var(--pixel, 1px));
  box-shadow: 0 0 0 calc(1.5 * var(--pixel, 1px)) var(--background);
}
.tip {
  position: absolute; inset: 0 auto auto 0; z-index: 2; max-width: min(16rem, 90%); padding: 0.5rem 0.75rem;
  border-radius: calc(var(--radius) * 0.7); background: var(--text); color: var(--background); font-size: 0.875rem;
  line-height: 1.35; pointer-events: none; box-shadow: 0 4px 16px rgb(0 0 0 / 25%);
}
.tip strong { display: block; font-weight: 600; }
.veil {
  position: absolute; inset: 0; z-index: 1; display: grid; place-content: center; justify-items: center; gap: 1rem;
  padding: 1rem; text-align: center; background: var(--background); direction: inherit;
}
.banner {
  position: absolute; inset: 0.5rem 0.5rem auto; z-index: 1; margin: auto; width: fit-content; max-width: calc(100% - 1rem);
  padding: 0.375rem 0.75rem; border-radius: 2rem; background: var(--calm); color: var(--on-calm); font-size: 0.875rem;
  text-align: center; box-shadow: 0 2px 8px rgb(0 0 0 / 12%); pointer-events: none;
}
.notice {
  display: flex; gap: 0.75rem; align-items: start; justify-content: space-between; padding: 0.625rem 0.875rem;
  border-radius: var(--radius); background: var(--calm); color: var(--on-calm); font-size: 0.9375rem;
}
.actions { display: flex; flex-wrap: wrap; gap: 0.5rem; margin-top: 0.5rem; }
.notice button { border: 0; background: none; padding: 0 0.25rem; font-size: 1.25rem; line-height: 1.2; cursor: pointer; min-width: 24px; min-height: 24px; }
.notice button:focus-visible { outline: 2px solid currentcolor; }
.legend { display: flex; flex-wrap: wrap; gap: 0.375rem 1.125rem; margin: 0; padding: 0; list-style: none; font-size: 0.875rem; }
.legend li { display: flex; gap: 0.5rem; align-items: center; }
.legend span:last-child { color: var(--muted); font-variant-numeric: tabular-nums; }
.prices { display: flex; flex-wrap: wrap; gap: 0.5rem; margin: 0; padding: 0; border: 0; min-width: 0; font-size: 0.875rem; }
.prices legend { padding: 0; margin-bottom: 0.375rem; font-weight: 600; }
.price {
  display: flex; gap: 0.5rem; align-items: center; min-height: 2.25rem; padding: 0.25rem 0.75rem; border: 1px solid var(--line);
  border-radius: 2rem; cursor: pointer;
}
.price:has(:checked) { border-color: var(--muted); background: var(--floor); }
.price input { margin: 0; accent-color: var(--accent); width: 1rem; height: 1rem; }
.price b { font-weight: 600; font-variant-numeric: tabular-nums; }
.cart {
  display: grid; gap: 0.75rem; align-content: start; padding: 1rem; border: 1px solid var(--line); border-radius: var(--radius);
  min-width: 0; grid-template-columns: minmax(0, 1fr);
}
:host([pick]) :is(.cart, [part=best]) { display: none; }
.cart h2 { margin: 0; font-size: 1.125rem; line-height: 1.3; font-weight: 650; }
.cart p { margin: 0; }
.cart ul { display: grid; gap: 0.25rem; margin: 0; padding: 0; list-style: none; max-height: 15rem; overflow: auto; }
.cart li { display: grid; grid-template-columns: minmax(0, 1fr) auto auto; gap: 0.5rem; align-items: center; }
.cart li small { display: block; color: var(--muted); font-size: 0.8125rem; }
.cart li .button { border: 0; font-size: 1.125rem; padding: 0; }
.amount { font-variant-numeric: tabular-nums; }
.total { display: flex; justify-content: space-between; padding-top: 0.75rem; border-top: 1px solid var(--line); font-weight: 650; }
.time { display: flex; flex-wrap: wrap; gap: 0.5rem; align-items: center; justify-content: space-between; font-variant-numeric: tabular-nums; }
.time[data-urgent] span { color: var(--booked); font-weight: 600; }
.empty { color: var(--muted); }
.notice .button { flex: none; font-size: 0.875rem; line-height: 1.3; background: var(--background); color: var(--text); padding: 0.25rem 0.75rem; border: 1px solid var(--line); min-height: 2rem; }
.waiting { display: grid; gap: 0.5rem; padding-top: 0.75rem; border-top: 1px solid var(--line); }
.waiting form { display: grid; gap: 0.5rem; }
.waiting label { display: flex; gap: 0.5rem; align-items: center; }
.waiting select { min-height: 2.25rem; border: 1px solid var(--line); border-radius: calc(var(--radius) * 0.7); background: var(--background); color: inherit; font: inherit; }
@container (min-width: 44rem) {
  :host(:not([pick])) .component { grid-template-columns: minmax(0, 1fr) 17rem; }
}
@container (max-width: 43.99rem) {
  /* Where the cart is below the hall, it stays in view as soon as there is something in it. */
  .cart:has(li) { position: sticky; bottom: 0; z-index: 3; gap: 0.25rem; padding: 0.5rem 0.75rem; background: var(--background); }
  .cart:has(li) h2 { display: none; }
  .cart:has(li) ul { max-height: 2.75rem; }
  .cart:has(li) .total { padding-top: 0.25rem; }
  .cart:has(li) .time { font-size: 0.8125rem; }
  .cart:has(li) .time .button { min-height: 2rem; padding: 0 0.5rem; }
}
@container (max-width: 24rem) {
  .component { padding: 0.5rem; }
  .find input { width: 6rem; }
}
@media (prefers-reduced-motion: no-preference) {
  .banner, .notice, .tip { animation: appear 160ms ease-out; }
  @keyframes appear { from { opacity: 0; } }
}
@media (forced-colors: active) {
  .button, .price, .cart, .stage, .notice { border: 1px solid; }
  .seats button:focus-visible { outline-color: Highlight; }
}
`;

let sheet: CSSStyleSheet | null = null;

/** One sheet for all components of a page; a strict content security policy allows it. */
export function styleSheet(): CSSStyleSheet {
  if (sheet === null) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(CSS);
  }
  return sheet;
}
