// The waiting list of the screening, for a user: what the panel shows and does, and "tell me when this seat is free".

import type { Rest } from './rest.js';
import type { Texts } from './texts.js';
import { type WaitingEntry, WaitingPanel } from './waiting_panel.js';

/** With so few free seats it makes sense to wait for others. */
const FEW_SEATS = 4;
/** How often the position is asked for. */
const LOOK_MS = 30_000;

export interface WaitingWords {
  /** A request has failed; say why. */
  failed(error: unknown): void;
}

export class Waiting {
  #panel: WaitingPanel;
  #words: WaitingWords;
  #rest: Rest | null = null;
  #screening = 0;
  #entry: WaitingEntry | null = null;
  #free = Infinity;
  #timer: ReturnType<typeof setInterval> | null = null;

  constructor(texts: Texts, words: WaitingWords) {
    this.#words = words;
    this.#panel = new WaitingPanel(texts, {
      join: (quantity, together) => void this.#attempt((rest) => rest.post('api/v1/waitlist', { screening_id: this.#screening, quantity, together })),
      leave: (id) => void this.#attempt((rest) => rest.delete(`api/v1/waitlist/${id}`)),
    });
  }

  get panel(): HTMLElement {
    return this.#panel.panel;
  }

  set texts(texts: Texts) {
    this.#panel.texts = texts;
  }

  /** Whether this visitor can wait: guests without a token cannot. */
  get isOpen(): boolean {
    return this.#rest !== null;
  }

  begin(rest: Rest, screening: number): void {
    this.end();
    this.#rest = rest;
    this.#screening = screening;
    this.#timer = setInterval(() => this.#entry && void this.load(), LOOK_MS);
    void this.load();
  }

  end(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = this.#rest = this.#entry = null;
    this.#show();
  }

  /** @param seats how many are free now */
  left(seats: number): void {
    if (seats === this.#free) return;
    this.#free = seats;
    this.#show();
  }

  /** Ask the server what the user waits for. */
  async load(): Promise<void> {
    const rest = this.#rest;
    const entries = await rest?.get<WaitingEntry[]>('api/v1/waitlist/me').catch(() => null);
    // Without an answer the last one stays.
    if (!entries || rest !== this.#rest) return;
    this.#entry = entries.find((entry) => entry.screening_id === this.#screening && entry.seat_id === null) ?? null;
    this.#show();
  }

  /** Ask to be told when a seat is free. Resolves to whether that worked. */
  async watch(seatId: number): Promise<boolean> {
    const body = { screening_id: this.#screening, seat_id: seatId };
    return this.#attempt((rest) => rest.post('api/v1/seat-reservations/notify-when-free', body));
  }

  async #attempt(ask: (rest: Rest) => Promise<unknown>): Promise<boolean> {
    if (this.#rest === null) return false;
    try {
      await ask(this.#rest);
      return true;
    } catch (error) {
      this.#words.failed(error);
      return false;
    } finally {
      await this.load();
    }
  }

  #show(): void {
    this.#panel.show(this.#entry, this.#rest !== null && this.#free < FEW_SEATS);
  }
}
