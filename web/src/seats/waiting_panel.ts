// Waiting for seats that others give back: joining the line, the position in it, and leaving. An offer needs nothing
// more here, because its seats are in the cart, with the time that is left for them.

import { element, write } from './dom.js';
import { filled, type Texts } from './texts.js';

/** As `GET /api/v1/waitlist/me` lists it. */
export interface WaitingEntry {
  id: number;
  screening_id: number;
  seat_id: number | null;
  quantity: number;
  together: boolean;
  status: 'waiting' | 'offered';
  position: number | null;
}

export interface WaitingActions {
  join(quantity: number, together: boolean): void;
  leave(id: number): void;
}

const MOST = 10;

export class WaitingPanel {
  readonly panel: HTMLElement;
  #texts: Texts;
  #entry: WaitingEntry | null = null;
  #heading = element('h2', { id: 'waiting' });
  #hint = element('p');
  #quantityLabel = element('span');
  #quantity = element('select');
  #together = element('input', { type: 'checkbox' });
  #togetherLabel = element('span');
  #join = element('button', { type: 'submit', className: 'button' });
  #form: HTMLFormElement;
  #place = element('p', { attributes: { role: 'status' } });
  #leave = element('button', { type: 'button', className: 'button' });

  constructor(texts: Texts, actions: WaitingActions) {
    this.#texts = texts;
    for (let number = 1; number <= MOST; number++) this.#quantity.append(element('option', { value: String(number) }, String(number)));
    this.#form = element(
      'form',
      {},
      element('label', {}, this.#quantityLabel, this.#quantity),
      element('label', {}, this.#together, this.#togetherLabel),
      this.#join,
    );
    this.panel = element(
      'section',
      { className: 'waiting', hidden: true, attributes: { part: 'waiting', 'aria-labelledby': 'waiting' } },
      ...[this.#heading, this.#hint, this.#form, this.#place, this.#leave],
    );
    this.#form.addEventListener('submit', (event) => {
      event.preventDefault();
      actions.join(Number(this.#quantity.value), this.#together.checked && this.#quantity.value !== '1');
    });
    this.#leave.addEventListener('click', () => {
      if (this.#entry !== null) actions.leave(this.#entry.id);
    });
    this.texts = texts;
  }

  set texts(texts: Texts) {
    this.#texts = texts;
    write(this.#heading, texts.waiting);
    write(this.#hint, texts.waiting_hint);
    write(this.#quantityLabel, texts.waiting_quantity);
    write(this.#togetherLabel, texts.waiting_together);
    write(this.#join, texts.waiting_join);
    write(this.#leave, texts.waiting_leave);
    this.#show();
  }

  /**
   * @param entry of this user in the line for seats; null for none
   * @param few whether so little is free that waiting makes sense
   */
  show(entry: WaitingEntry | null, few: boolean): void {
    this.#entry = entry;
    this.panel.hidden = entry === null && !few;
    this.#show();
  }

  #show(): void {
    const waits = this.#entry?.status === 'waiting';
    this.#form.hidden = this.#hint.hidden = this.#entry !== null;
    this.#place.hidden = this.#leave.hidden = this.#entry === null;
    const { position, quantity } = this.#entry ?? {};
    const text = waits ? this.#texts.waiting_place : this.#texts.waiting_turn;
    write(this.#place, filled(text, { position: position ?? '', quantity: quantity ?? '' }));
  }
}
