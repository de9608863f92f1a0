// Tells screen readers what has happened, politely: one text at a time, and what others do as a summary now and then.

import { write } from './dom.js';

const SUMMARY_MS = 8_000;

export class Announcer {
  #region: HTMLElement;
  #summary: (taken: number, freed: number) => string;
  #taken = 0;
  #freed = 0;
  #timer: ReturnType<typeof setTimeout> | null = null;
  #odd = false;

  /**
   * @param region a live region
   * @param summary words for the changes that others have made
   */
  constructor(region: HTMLElement, summary: (taken: number, freed: number) => string) {
    this.#region = region;
    this.#summary = summary;
  }

  say(text: string): void {
    // The same text twice is only read twice if something differs.
    this.#odd = !this.#odd;
    write(this.#region, this.#odd ? text : `${text}\u00a0`);
  }

  othersChanged(taken: number, freed: number): void {
    this.#taken += taken;
    this.#freed += freed;
    this.#timer ??= setTimeout(() => {
      this.#timer = null;
      this.say(this.#summary(this.#taken, this.#freed));
      this.#taken = this.#freed = 0;
    }, SUMMARY_MS);
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#taken = this.#freed = 0;
  }
}
