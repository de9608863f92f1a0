// A client with a manual clock and a server played by the test.

import { setImmediate } from 'node:timers/promises';
import { ScreeningClient } from '../../../web/client/index.js';

export const SCREENING = 123;

/** Runs everything that does not wait for a timer. */
export const settled = () => setImmediate();

class ManualClock {
  #now = 1_000_000;
  #timers = new Map();
  #numbers = 0;

  now = () => this.#now;

  setTimeout = (callback, ms) => {
    this.#timers.set(++this.#numbers, { at: this.#now + ms, callback });
    return this.#numbers;
  };

  clearTimeout = (number) => this.#timers.delete(number);

  get pending() {
    return this.#timers.size;
  }

  /** Advances the clock, firing every timer that becomes due. */
  async advance(ms) {
    const end = this.#now + ms;
    await settled();
    for (;;) {
      const due = [...this.#timers].filter(([, { at }]) => at <= end).sort(([, a], [, b]) => a.at - b.at)[0];
      if (due === undefined) break;
      const [number, { at, callback }] = due;
      this.#timers.delete(number);
      this.#now = Math.max(this.#now, at);
      callback();
      await settled();
    }
    this.#now = end;
  }
}

class FakeSocket {
  readyState = 0;
  sent = [];

  constructor(url) {
    this.url = new URL(url);
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close(code) {
    this.closedWith = code;
    this.readyState = 3;
  }
}

/** A seat's state: `state(42, 'reserved', {is_mine: true})`. */
export const state = (seat_id, status, more = {}) => ({ seat_id, status, is_mine: false, ...more });

const EVENTS = ['open', 'snapshot', 'seats', 'state', 'error', 'unauthorized', 'counts', 'booking', 'joined',
  'selected', 'released', 'booked', 'refused', 'expiring', 'mismatch'];

const watchingScreening = (url, token, options) => new ScreeningClient(url, SCREENING, token, options);

export class Stage {
  clock = new ManualClock();
  sockets = [];
  polls = [];
  events = [];
  /** The random number that determines pauses. */
  chance = 0.5;
  /** Answers polls: a function of the request. */
  answerPoll = () => new Response('away', { status: 502 });
  socketsAllowed = true;

  /**
   * @param token of the client
   * @param limits of the client
   * @param make creates a client other than a ScreeningClient, from the server's URL, the token and options
   */
  constructor(token = 'the-token', limits = {}, make = watchingScreening) {
    const stage = this;
    this.client = make('https://tickets.test/shop', token, {
      clock: this.clock,
      random: () => this.chance,
      limits,
      WebSocket: class extends FakeSocket {
        constructor(url) {
          if (!stage.socketsAllowed) throw new DOMException('not here', 'SecurityError');
          super(url);
          stage.sockets.push(this);
        }
      },
      fetch: async (url, options) => {
        this.polls.push({ url, ...options });
        return this.answerPoll(options);
      },
    });
    for (const name of EVENTS) {
      this.client.addEventListener(name, ({ detail }) => this.events.push([name, detail]));
    }
  }

  async open() {
    this.client.open();
    await settled();
  }

  get socket() {
    return this.sockets.at(-1);
  }

  /** The details of all events with this name. */
  eventsNamed(name) {
    return this.events.filter(([each]) => each === name).map(([, detail]) => detail);
  }

  /** The seats as the client shows them: `{41: 'available', …}`. */
  get picture() {
    return Object.fromEntries([...this.client.seats.values()].map((seat) => [seat.seat_id, seat.status]));
  }

  // The server's actions

  say(...messages) {
    for (const message of messages) this.socket.onmessage({ data: JSON.stringify(message) });
  }

  accept() {
    this.socket.readyState = 1;
    this.socket.onopen();
  }

  confirm(seq, epoch) {
    this.accept();
    this.say({ type: 'connection_confirmed', screening_id: SCREENING, message: '', seq, epoch });
  }

  update(seq, ...updates) {
    this.say({ type: 'bulk_seat_update', updates, timestamp: '', epoch: 3, seq });
  }

  /** Opens the client and sends it the seats. */
  async show(seq, ...updates) {
    await this.open();
    this.confirm(0, 0);
    this.say({ type: 'bulk_seat_update', updates, timestamp: '', epoch: 3, seq, snapshot: true });
  }

  hangUp(code = 1006, reason = '') {
    this.socket.readyState = 3;
    this.socket.onclose({ code, reason });
  }
}
