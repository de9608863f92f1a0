// How long the client waits for what, and how much it takes. Every bound has its name here.

/**
 * @typedef {object} Limits
 * @property {number} connectMs how long a socket may take to open
 * @property {number} answerMs how long an answer may take: the first message, a pong, a poll, a token
 * @property {number} heartbeatMs after how long without a message the server is pinged
 * @property {number} firstDelayMs upper bound of the first pause before connecting again; it doubles each time
 * @property {number} longestDelayMs upper bound of every pause
 * @property {number} stableMs how long a connection must have worked for the pauses to start over
 * @property {number} attemptsBeforePolling how many attempts in a row must fail before seats are polled for
 * @property {number} pollMs between polls, give or take a quarter
 * @property {number} seats of a screening or a room; more are a fault of the server
 * @property {number} subscriptions events to watch, or rooms to be in, at the same time
 */

/** @type {Readonly<Limits>} */
export const DEFAULT_LIMITS = Object.freeze({
  connectMs: 10_000,
  answerMs: 10_000,
  heartbeatMs: 15_000,
  firstDelayMs: 500,
  longestDelayMs: 30_000,
  stableMs: 10_000,
  attemptsBeforePolling: 3,
  pollMs: 3_000,
  seats: 200_000,
  subscriptions: 100,
});

/**
 * The default limits with some of them changed.
 *
 * @param {Partial<Limits>} [changes]
 * @returns {Readonly<Limits>}
 * @throws {RangeError} there is no such limit, or it is not a positive number
 */
export function limitsWith(changes = {}) {
  for (const [name, value] of Object.entries(changes)) {
    if (!(name in DEFAULT_LIMITS)) throw new RangeError(`There is no limit ${name}`);
    // A limit of 0 or NaN would make the client connect without a pause.
    if (!(Number.isFinite(value) && value > 0)) throw new RangeError(`${name} must be a positive number`);
  }
  return Object.freeze({ ...DEFAULT_LIMITS, ...changes });
}
