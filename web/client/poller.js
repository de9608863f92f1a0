// Asking for the seats again and again, for where a WebSocket cannot be had: some proxies let HTTP pass and nothing
// else. A version that is known already is answered with 304 and no body.

import { Backoff } from './backoff.js';
import { NOT_FOUND, UNAUTHORIZED } from './farewells.js';

/**
 * @typedef {object} PollerHandlers
 * @property {(entries: any, position: {epoch: number, seq: number}) => void} onSeats the seats changed; may throw
 * @property {() => void} onAnswer the server answered, so what is known is up to date
 * @property {(error: unknown) => void} onFailure a poll failed; another one follows
 * @property {(farewell: import('./farewells.js').Farewell) => void} onStop told not to ask again
 */

export class Poller {
  #url;
  #credentials;
  #environment;
  #handlers;
  #backoff;
  #timer;
  /** Of the poll that is under way. @type {AbortController | null} */
  #underWay = null;
  #running = false;
  /** @type {string | null} */
  #entityTag = null;

  /**
   * @param {string} url
   * @param {import('./credentials.js').Credentials} credentials
   * @param {import('./connection.js').Environment} environment
   * @param {PollerHandlers} handlers
   */
  constructor(url, credentials, environment, handlers) {
    this.#url = url;
    this.#credentials = credentials;
    this.#environment = environment;
    this.#handlers = handlers;
    this.#backoff = new Backoff(environment.limits, environment.random);
  }

  get running() {
    return this.#running;
  }

  /** Poll, now and from now on. */
  start() {
    if (this.#running) return;
    this.#running = true;
    // What was polled for long ago may not be what the picture shows now.
    this.#entityTag = null;
    this.#poll();
  }

  /** Poll no more; an answer that is under way is not looked at. */
  stop() {
    this.#running = false;
    this.#environment.clock.clearTimeout(this.#timer);
    this.#underWay?.abort();
    this.#underWay = null;
  }

  async #poll() {
    const { clock, limits } = this.#environment;
    const underWay = (this.#underWay = new AbortController());
    const late = clock.setTimeout(
      () => underWay.abort(new Error(`No answer within ${limits.answerMs} ms`)),
      limits.answerMs,
    );
    const overtaken = () => this.#underWay !== underWay;
    let pauseMs;
    try {
      pauseMs = await this.#ask(underWay.signal, overtaken);
    } catch (error) {
      if (overtaken()) return;
      this.#handlers.onFailure(error);
      pauseMs = this.#backoff.next();
    } finally {
      clock.clearTimeout(late);
    }
    if (!overtaken()) this.#timer = clock.setTimeout(() => this.#poll(), pauseMs);
  }

  /**
   * @param {AbortSignal} signal
   * @param {() => boolean} overtaken
   * @returns {Promise<number>} after how many milliseconds to ask again
   */
  async #ask(signal, overtaken) {
    const token = await this.#credentials.current();
    if (overtaken()) return 0;
    const headers = { Authorization: `Bearer ${token}` };
    if (this.#entityTag !== null) headers['If-None-Match'] = this.#entityTag;
    const { fetch } = this.#environment;
    const answer = await fetch(this.#url, { headers, signal, cache: 'no-store' });
    let entries = null;
    if (answer.ok) entries = await answer.json();
    else if (answer.status === 404) entries = await answer.json().catch(() => null);
    return overtaken() ? 0 : this.#take(answer, entries);
  }

  /**
   * @param {Response} answer
   * @param {any} entries
   * @returns {number} after how many milliseconds to ask again
   */
  #take(answer, entries) {
    const { limits, random } = this.#environment;
    if (answer.status === 401) return this.#refused();
    // A proxy may say 404 as well; only the server's own word counts.
    if (answer.status === 404 && entries?.code === 'screening_not_found') {
      this.stop();
      this.#handlers.onStop({ code: NOT_FOUND, reason: 'Screening not found' });
      return 0;
    }
    if (answer.status !== 304) {
      if (!answer.ok) return this.#pauseAfter(answer);
      this.#handlers.onSeats(entries, positionOf(answer.headers));
      this.#entityTag = answer.headers.get('ETag');
    }
    this.#credentials.accepted();
    this.#backoff.reset();
    this.#handlers.onAnswer();
    return limits.pollMs * (0.75 + random() / 2);
  }

  #refused() {
    if (this.#credentials.refused()) return this.#backoff.next();
    this.stop();
    this.#handlers.onStop({ code: UNAUTHORIZED, reason: 'Invalid token' });
    return 0;
  }

  /** @param {Response} answer */
  #pauseAfter(answer) {
    this.#handlers.onFailure(new Error(`Polling was answered with ${answer.status}`));
    const asked = 1000 * Number(answer.headers.get('Retry-After') ?? 0);
    const { longestDelayMs } = this.#environment.limits;
    return Math.max(this.#backoff.next(), Math.min(asked || 0, longestDelayMs));
  }
}

/** @param {Headers} headers */
function positionOf(headers) {
  const [epoch, seq] = ['X-Epoch', 'X-Seq'].map((name) => Number.parseInt(headers.get(name) ?? '', 10));
  return Number.isSafeInteger(epoch) && Number.isSafeInteger(seq) ? { epoch, seq } : { epoch: 0, seq: 0 };
}
