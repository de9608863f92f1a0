// The hall for keyboards and screen readers: a transparent button over every seat, in a group per row. One button is in
// the tab order, the others are reached with arrow keys. Large halls have buttons for the surroundings of the current
// seat only, because tens of thousands of elements would make every page slow.

import { element } from './dom.js';
import type { Direction, Plan } from './plan.js';
import type { Viewport } from './viewport.js';

/** Halls up to this size have all buttons. */
const ALL_SEATS = 2_500;
/** Otherwise the buttons of seats this far from the current one, in seat widths and rows. */
const AROUND = { x: 24, y: 8 };
/** Buttons are laid out at this scale and then scaled together with the hall. */
const SEAT_PX = 32;

export interface SeatWords {
  name: string;
  description: string;
  pressed: boolean;
  disabled: boolean;
}

const DIRECTIONS: Record<string, Direction> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
};
const PAGE_ROWS = 5;

export class SeatButtons {
  readonly layer: HTMLElement;
  #plan: Plan | null = null;
  #words: (index: number) => SeatWords;
  #rowName: (label: string) => string;
  #buttons = new Map<number, HTMLButtonElement>();
  #current = 0;

  /**
   * @param words what a seat is called and how it is
   * @param rowName what a row is called
   */
  constructor(words: (index: number) => SeatWords, rowName: (label: string) => string) {
    this.#words = words;
    this.#rowName = rowName;
    this.layer = element('div', { className: 'seats', attributes: { role: 'group' } });
  }

  get current(): number {
    return this.#current;
  }

  show(plan: Plan): void {
    this.#plan = plan;
    // Start in the middle of the hall, where people look first.
    const { left, right, top, bottom } = plan.bounds;
    this.#current = 0;
    if (plan.size > ALL_SEATS) {
      let best = Infinity;
      plan.seats.forEach(({ x, y }, index) => {
        const distance = Math.hypot(x - (left + right) / 2, y - (top + bottom) / 2);
        if (distance < best) [this.#current, best] = [index, distance];
      });
    }
    this.#build();
  }

  place({ scale, x, y }: Viewport): void {
    this.layer.style.transform = `translate(${x}px, ${y}px) scale(${scale / SEAT_PX})`;
    this.layer.style.setProperty('--pixel', `${SEAT_PX / scale}px`);
  }

  /** Describe a seat anew, after it has changed. */
  refresh(index: number): void {
    const button = this.#buttons.get(index);
    if (button) this.#describe(button, this.#words(index));
  }

  refreshAll(): void {
    for (const index of this.#buttons.keys()) this.refresh(index);
  }

  /** Index of the seat whose button an event comes from, -1 for none. */
  indexOf(target: EventTarget | null): number {
    const index = target instanceof HTMLElement ? target.dataset['seat'] : undefined;
    return index === undefined ? -1 : Number(index);
  }

  /** Make a seat the one in the tab order. */
  choose(index: number): void {
    const before = this.#buttons.get(this.#current);
    this.#current = index;
    if (!this.#isNearEdge(index)) {
      if (before) before.tabIndex = -1;
      this.#buttons.get(index)!.tabIndex = 0;
    } else {
      this.#build();
    }
  }

  focus(index: number): void {
    this.choose(index);
    this.#buttons.get(index)?.focus({ preventScroll: true });
  }

  /** Index of the seat that a key leads to, null if it leads nowhere. */
  target(event: KeyboardEvent): number | null {
    const plan = this.#plan;
    if (plan === null || event.altKey || event.metaKey) return null;
    const direction = DIRECTIONS[event.key];
    if (direction) return plan.neighbour(this.#current, direction);
    switch (event.key) {
      case 'Home':
        return plan.endOfRow(this.#current, 'first');
      case 'End':
        return plan.endOfRow(this.#current, 'last');
      case 'PageUp':
      case 'PageDown': {
        let target = this.#current;
        for (let row = 0; row < PAGE_ROWS; row++) {
          const next = plan.neighbour(target, event.key === 'PageUp' ? 'up' : 'down');
          if (next >= 0) target = next;
        }
        return target;
      }
      default:
        return null;
    }
  }

  /** Whether the neighbours of a seat may have no buttons. */
  #isNearEdge(index: number): boolean {
    if (!this.#buttons.has(index)) return true;
    if (this.#plan!.size <= ALL_SEATS) return false;
    return (['left', 'right', 'up', 'down'] as const).some((direction) => {
      const neighbour = this.#plan!.neighbour(index, direction);
      return neighbour >= 0 && !this.#buttons.has(neighbour);
    });
  }

  #build(): void {
    const plan = this.#plan!;
    const hadFocus = [...this.#buttons.values()].some((button) => button.matches(':focus'));
    this.#buttons.clear();
    const groups: HTMLElement[] = [];
    if (plan.size > 0) {
      const { x, y } = plan.seats[this.#current]!;
      const all = plan.size <= ALL_SEATS;
      for (const { label, seats } of plan.rows) {
        const near = all
          ? seats
          : seats.filter((index) => {
              const seat = plan.seats[index]!;
              return Math.abs(seat.x - x) <= AROUND.x && Math.abs(seat.y - y) <= AROUND.y;
            });
        if (near.length === 0) continue;
        const group = element('div', { attributes: { role: 'group', 'aria-label': this.#rowName(label) } });
        group.append(...near.map((index) => this.#button(index)));
        groups.push(group);
      }
    }
    this.layer.replaceChildren(...groups);
    if (hadFocus) this.#buttons.get(this.#current)?.focus({ preventScroll: true });
  }

  #button(index: number): HTMLButtonElement {
    const { x, y } = this.#plan!.seats[index]!;
    const button = element('button', { type: 'button', tabIndex: index === this.#current ? 0 : -1 });
    button.dataset['seat'] = String(index);
    button.style.left = `${(x - 0.5) * SEAT_PX}px`;
    button.style.top = `${(y - 0.5) * SEAT_PX}px`;
    this.#buttons.set(index, button);
    this.#describe(button, this.#words(index));
    return button;
  }

  #describe(button: HTMLButtonElement, { name, description, pressed, disabled }: SeatWords): void {
    button.setAttribute('aria-label', name);
    button.setAttribute('aria-description', description);
    button.setAttribute('aria-pressed', String(pressed));
    button.setAttribute('aria-disabled', String(disabled));
  }
}
