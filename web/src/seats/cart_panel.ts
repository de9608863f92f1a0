// The visitor's seats with their prices, the time that is left for them, and the way to the checkout.

import { element, write } from './dom.js';
import type { Cart, SeatInfo } from './public.js';
import { minutesAndSeconds } from './server_clock.js';
import { filled, type Texts } from './texts.js';

const URGENT_MS = 60_000;
/** The time left is announced when it falls below these. */
const SAID_MS = [120_000, 60_000, 30_000];

export interface CartWords {
  texts: Texts;
  name(seat: SeatInfo): string;
  type(seatType: string): string;
  money(price: number): string;
}

export interface CartActions {
  giveBack(seatId: number): void;
  extend(): void;
  checkOut(): void;
  /** Tell screen readers. */
  say(text: string): void;
}

export class CartPanel {
  readonly panel: HTMLElement;
  #actions: CartActions;
  #words: CartWords;
  #heading = element('h2', { id: 'cart' });
  #empty = element('p', { className: 'empty' });
  #list = element('ul');
  #time = element('div', { className: 'time' });
  #timeText = element('span', { attributes: { role: 'timer' } });
  #more = element('button', { type: 'button', className: 'button' });
  #totalLabel = element('span');
  #totalAmount = element('span', { className: 'amount' });
  #total = element('div', { className: 'total' }, this.#totalLabel, this.#totalAmount);
  #checkout = element('button', { type: 'button', className: 'button main', attributes: { part: 'checkout' } });
  #items = new Map<number, HTMLLIElement>();
  #lastLeftMs = Infinity;

  constructor(words: CartWords, actions: CartActions) {
    this.#words = words;
    this.#actions = actions;
    this.#time.append(this.#timeText, this.#more);
    this.panel = element(
      'aside',
      { className: 'cart', attributes: { part: 'cart', 'aria-labelledby': 'cart' } },
      ...[this.#heading, this.#empty, this.#list, this.#total, this.#time, this.#checkout],
    );
    this.#more.addEventListener('click', () => actions.extend());
    this.#checkout.addEventListener('click', () => actions.checkOut());
    this.words = words;
  }

  set words(words: CartWords) {
    this.#words = words;
    const { texts } = words;
    write(this.#heading, texts.cart);
    write(this.#empty, texts.cart_empty);
    write(this.#totalLabel, texts.cart_total);
    write(this.#more, texts.more_time);
    write(this.#checkout, texts.checkout);
    this.#items.clear();
  }

  /** @param extendable whether the seats can be kept longer */
  show(cart: Cart, extendable: boolean): void {
    const { seats, total } = cart;
    const empty = seats.length === 0;
    this.#empty.hidden = !empty;
    this.#list.hidden = this.#time.hidden = this.#checkout.hidden = empty;
    this.#total.hidden = empty || total === null;
    this.#more.hidden = !extendable;
    if (empty) this.#lastLeftMs = Infinity;
    if (total !== null) write(this.#totalAmount, this.#words.money(total));
    const kept = new Map(seats.map((seat) => [seat.id, this.#items.get(seat.id) ?? this.#item(seat)]));
    for (const { id, price } of seats) {
      write(kept.get(id)!.querySelector('.amount')!, price === null ? '' : this.#words.money(price));
    }
    const focused = [...this.#items].find(([, item]) => item.matches(':focus-within'))?.[0];
    this.#items = kept;
    const shown = [...kept.values()];
    if (shown.some((item, position) => this.#list.children[position] !== item) || shown.length !== this.#list.children.length) {
      this.#list.replaceChildren(...shown);
    }
    // Whoever gave a seat back with the keyboard goes on with the next one.
    if (focused !== undefined) (kept.get(focused) ?? shown.at(-1))?.querySelector('button')?.focus();
  }

  /** @param leftMs time until the first seat expires; null if unknown */
  tick(leftMs: number | null): void {
    this.#timeText.hidden = leftMs === null;
    if (leftMs === null) return;
    const time = minutesAndSeconds(leftMs);
    write(this.#timeText, filled(this.#words.texts.time_left, { time }));
    this.#time.toggleAttribute('data-urgent', leftMs < URGENT_MS);
    this.#checkout.disabled = leftMs <= 0;
    if (SAID_MS.some((limit) => leftMs < limit && this.#lastLeftMs >= limit && this.#lastLeftMs !== Infinity)) {
      this.#actions.say(filled(this.#words.texts.said_time, { time }));
    }
    this.#lastLeftMs = leftMs;
  }

  #item(seat: SeatInfo): HTMLLIElement {
    const { texts, name, type } = this.#words;
    const remove = element('button', {
      type: 'button',
      className: 'button',
      attributes: { 'aria-label': filled(texts.remove, { seat: name(seat) }) },
    });
    remove.append('×');
    remove.addEventListener('click', () => this.#actions.giveBack(seat.id));
    return element(
      'li',
      {},
      element('span', {}, name(seat), element('small', {}, type(seat.type))),
      element('span', { className: 'amount' }),
      remove,
    );
  }
}
