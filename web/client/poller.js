// Polls for seats where WebSockets do not work, for example behind proxies that only pass plain HTTP. If nothing has
// changed, the server answers 304 without a body.

import { Backoff } from './backoff.js';
import { NOT_FOUND, UNAUTHORIZED } from './close_codes.js';

/**
 * @typedef {object} PollerHandlers
 * @property {(entries: any, position: {epoch: number, seq: number}) => void} onSeats the seats changed; may throw
 * @property {() => void} onAnswer the server answered, so the known seats are up to date
 * @property {(error: unknown) => void} onFailure a poll failed; another one follows
 * @property {(closeReason: import('./close_codes.js').CloseReason) => void} onStop polling ended for good
 */

export class Poller {
  #url;
  #headers;
  #credentials;
  #environment;
  #handlers;
  #backoff;
  /** @type {any} */
  #timer;
  /** Aborts the poll in progress. @type {AbortController | null} */
  #pending = null;
  #running = false;
  /** @type {string | null} */
  #entityTag = null;

  /**
   * @param {string} url
   * @param {Record<string, string>} headers of every request, besides the token
   * @param {import('./credentials.js').Credentials} credentials
   * @param {import('./connection.js').Environment} environment
   * @param {PollerHandlers} handlers
   */
  constructor(url, headers, credentials, environment, handlers) {
    this.#url = url;
    this.#headers = headers;
    this.#credentials = credentials;
    this.#environment = environment;
    this.#handlers = handlers;
    this.#backoff = new Backoff(environment.limits, environment.random);
  }

  get running() {
    return this.#running;
  }

  /** Poll now and then at intervals. */
  start() {
    if (this.#running) return;
    this.#running = true;
    // The picture may have changed since the last poll, so the old version does not count.
    this.#entityTag = null;
    this.#poll();
  }

  /** Stop polling; a pending answer is discarded. */
  stop() {
    this.#running = false;
    this.#environment.clock.clearTimeout(this.#timer);
    this.#pending?.abort();
    this.#pending = null;
  }

  async #poll() {
    const { clock, limits } = this.#environment;
    const pending = (this.#pending = new AbortController());
    const late = clock.setTimeout(
      () => pending.abort(new Error(`No answer within ${limits.answerMs} ms`)),
      limits.answerMs,
    );
    const superseded = () => this.#pending !== pending;
    let pauseMs;
    try {
      pauseMs = await this.#ask(pending.signal, superseded);
    } catch (error) {
      if (superseded()) return;
      this.#handlers.onFailure(error);
      pauseMs = this.#backoff.next();
    } finally {
      clock.clearTimeout(late);
    }
    if (!superseded()) this.#timer = clock.setTimeout(() => this.#poll(), pauseMs);
  }

  /**
   * @param {AbortSignal} signal
   * @param {() => boolean} superseded
   * @returns {Promise<number>} milliseconds to wait before the next poll
   */
  async #ask(signal, superseded) {
    const token = await this.#credentials.current();
    if (superseded()) return 0;
    /** @type {Record<string, string>} */
    const headers = { ...this.#headers, Authorization: `Bearer ${token}` };
    if (this.#entityTag !== null) headers['If-None-Match'] = this.#entityTag;
    const { fetch } = this.#environment;
    const answer = await fetch(this.#url, { headers, signal, cache: 'no-store' });
    let entries = null;
    if (answer.ok) entries = await answer.json();
    else if (answer.status === 404) entries = await answer.json().catch(() => null);
    return superseded() ? 0 : this.#take(answer, entries);
  }

  /**
   * @param {Response} answer
   * @param {any} entries
   * @returns {number} milliseconds to wait before the next poll
   */
  #take(answer, entries) {
    const { limits, random } = this.#environment;
    if (answer.status === 401) return this.#refused();
    // A proxy may answer 404 as well; only the server's own error code counts.
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
    // Up to twice as long, so that clients that were refused together do not come back together.
    const spread = (asked || 0) * (1 + this.#environment.random());
    return Math.max(this.#backoff.next(), Math.min(spread, longestDelayMs));
  }
}

/** @param {Headers} headers */
function positionOf(headers) {
  const epoch = Number.parseInt(headers.get('X-Epoch') ?? '', 10);
  const seq = Number.parseInt(headers.get('X-Seq') ?? '', 10);
  return Number.isSafeInteger(epoch) && Number.isSafeInteger(seq) ? { epoch, seq } : { epoch: 0, seq: 0 };
}
