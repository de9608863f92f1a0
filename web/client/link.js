// One WebSocket, from opening to its end, which is reported exactly once. A link detects that it is dead: when it does
// not open in time, when no first message arrives, or when a ping is not answered. Without that, a browser's WebSocket
// stays open for many minutes when the network drops packets silently.

import { ABNORMAL } from './close_codes.js';

const NORMAL = 1000;
const OPEN = 1;

export class Link {
  #socket;
  #clock;
  #limits;
  #onMessage;
  #onEnd;
  /** @type {any} */
  #timer;
  #heardAt = 0;
  /** When the awaited answer is overdue; null if none is awaited. @type {number | null} */
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
   * @param {(closeReason: import('./close_codes.js').CloseReason) => void} handlers.onEnd
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
   * @returns {boolean} whether it was sent, which needs an open socket
   */
  send(message) {
    if (this.#ended || this.#socket.readyState !== OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  /** Close the link without calling `onEnd`. */
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
      // The lost content may matter for what follows, so the link cannot be used any more.
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

  // Timers of background pages may fire a minute late. So silence alone does not count, only silence after a ping.
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

  /** @param {import('./close_codes.js').CloseReason} closeReason */
  #end(closeReason) {
    this.#ended = true;
    this.#clock.clearTimeout(this.#timer);
    this.#onEnd(closeReason);
  }
}
