// What the colours and shapes mean with how many seats have them, and the prices, which filter the hall.

import { element, write } from './dom.js';
import { drawSeat, kindOf, type Palette } from './sprites.js';
import { Look } from './states.js';

const SWATCH_PX = 20;

export interface LegendEntry {
  look: Look;
  label: string;
}

export interface PriceEntry {
  type: string;
  label: string;
  price: string;
}

export class Legend {
  readonly states: HTMLElement;
  readonly prices: HTMLFieldSetElement;
  #filtered: () => void;
  #entries: { look: Look; count: HTMLElement }[] = [];
  #swatches: (() => void)[] = [];
  #hidden = new Set<string>();
  #palette: Palette;

  /** @param filtered is called after the visitor has changed the filter */
  constructor(palette: Palette, filtered: () => void) {
    this.#palette = palette;
    this.#filtered = filtered;
    this.states = element('ul', { className: 'legend', attributes: { part: 'legend' } });
    this.prices = element('fieldset', { className: 'prices', attributes: { part: 'prices' } });
  }

  set palette(palette: Palette) {
    this.#palette = palette;
    for (const draw of this.#swatches) draw();
  }

  /** Whether the filter hides a seat type. */
  hides(type: string): boolean {
    return this.#hidden.has(type);
  }

  get isFiltering(): boolean {
    return this.#hidden.size > 0;
  }

  show(entries: readonly LegendEntry[], title: string, prices: readonly PriceEntry[]): void {
    this.#swatches = [];
    this.#hidden = new Set([...this.#hidden].filter((type) => prices.some((price) => price.type === type)));
    this.#entries = entries.map(({ look }) => ({ look, count: element('span') }));
    this.states.replaceChildren(
      ...entries.map(({ look, label }, position) =>
        element('li', {}, this.#swatch(look, 'standard'), element('span', {}, label), this.#entries[position]!.count),
      ),
    );
    this.prices.hidden = prices.length === 0;
    this.prices.replaceChildren(element('legend', {}, title), ...prices.map((price) => this.#price(price)));
  }

  count(counts: readonly number[], formatted: (count: number) => string): void {
    for (const { look, count } of this.#entries) {
      const number = look === Look.Booked ? counts[Look.Booked]! + counts[Look.Bought]! : counts[look]!;
      write(count, formatted(number));
    }
  }

  #price({ type, label, price }: PriceEntry): HTMLElement {
    const box = element('input', { type: 'checkbox', checked: !this.#hidden.has(type) });
    box.addEventListener('change', () => {
      if (box.checked) this.#hidden.delete(type);
      else this.#hidden.add(type);
      this.#filtered();
    });
    const parts = [box, this.#swatch(Look.Available, type), element('span', {}, label)];
    return element('label', { className: 'price' }, ...parts, element('b', {}, price));
  }

  #swatch(look: Look, type: string): HTMLCanvasElement {
    const canvas = element('canvas', { attributes: { 'aria-hidden': 'true' } });
    const density = Math.max(1, globalThis.devicePixelRatio || 1);
    canvas.width = canvas.height = Math.round(SWATCH_PX * density);
    canvas.style.width = canvas.style.height = `${SWATCH_PX}px`;
    const draw = (): void => {
      const context = canvas.getContext('2d')!;
      context.clearRect(0, 0, canvas.width, canvas.height);
      drawSeat(context, canvas.width, this.#palette, look, kindOf(type), '');
    };
    this.#swatches.push(draw);
    draw();
    return canvas;
  }
}
