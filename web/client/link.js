// One WebSocket from its making to its end, which is told exactly once. A link notices by itself that it is dead:
// when it does not open, when nothing follows, when a ping is not answered. Networks that drop packets without a
// word leave a browser's WebSocket open for many minutes.

import { ABNORMAL } from './farewells.js';

const NORMAL = 1000;
const OPEN = 1;

export class Link {
  #socket;
  #clock;
  #limits;
  #onMessage;
  #onEnd;
  #timer;
  #heardAt = 0;
  /** When the patience with what is awaited ends; null while nothing is. @type {number | null} */
  #deadline = null;
  #ended = false;

  /**
   * @param {string} url
   * @param {object} environment
   * @param {typeof WebSocket} environment.WebSocket
   * @param {import('./clock.js').Clock} environment.clock
   * @param {import('./limits.js').Limits} environment.limits
   * @param {object} handlers
   * @param {() => void} handlers.onOpen the socket is open
   * @param {(message: any) => void} handlers.onMessage
   * @param {(farewell: import('./farewells.js').Farewell) => void} handlers.onEnd
   * @throws {DOMException} the browser does not allow the connection
   */
  constructor(url, { WebSocket, clock, limits }, { onOpen, onMessage, onEnd }) {
    this.#clock = clock;
    this.#limits = limits;
    this.#onMessage = onMessage;
    this.#onEnd = onEnd;
    this.#socket = new WebSocket(url);
    this.#socket.onopen = () => {
      this.#await(limits.answerMs);
      onOpen();
    };
    this.#socket.onmessage = (event) => this.#take(event.data);
    this.#socket.onclose = (event) => this.#end({ code: event.code, reason: event.reason });
    this.#await(limits.connectMs);
  }

  /**
   * @param {object} message
   * @returns {boolean} whether it was sent, which it is not unless the socket is open
   */
  send(message) {
    if (this.#ended || this.#socket.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** End it from this side, without telling. */
  drop() {
    this.#ended = true;
    this.#clock.clearTimeout(this.#timer);
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close(NORMAL);
  }

  /** @param {any} data */
  #take(data) {
    let message;
    try {
      message = JSON.parse(data);
    } catch {
      message = null;
    }
    if (message === null || typeof message !== 'object') {
      // What it said is not known, so what follows cannot be trusted.
      this.#giveUp('Unreadable message');
      return;
    }
    this.#heardAt = this.#clock.now();
    this.#deadline = null;
    this.#onMessage(message);
  }

  /** @param {number} ms */
  #await(ms) {
    this.#deadline = this.#clock.now() + ms;
    this.#look(ms);
  }

  /** @param {number} ms */
  #look(ms) {
    this.#clock.clearTimeout(this.#timer);
    this.#timer = this.#clock.setTimeout(() => this.#check(), ms);
  }

  // Timers of pages in the background may be late by a minute. So what counts is not silence, but silence after a
  // question.
  #check() {
    const now = this.#clock.now();
    if (this.#deadline !== null) {
      if (now >= this.#deadline) this.#giveUp('No answer');
      else this.#look(this.#deadline - now);
      return;
    }
    const idle = now - this.#heardAt;
    if (idle < this.#limits.heartbeatMs) {
      this.#look(this.#limits.heartbeatMs - idle);
    } else {
      this.send({ type: 'ping' });
      this.#await(this.#limits.answerMs);
    }
  }

  /** @param {string} reason */
  #giveUp(reason) {
    this.drop();
    this.#onEnd({ code: ABNORMAL, reason });
  }

  /** @param {import('./farewells.js').Farewell} farewell */
  #end(farewell) {
    this.#ended = true;
    this.#clock.clearTimeout(this.#timer);
    this.#onEnd(farewell);
  }
}
