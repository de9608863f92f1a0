// All time limits and sizes of the client.

/**
 * @typedef {object} Limits
 * @property {number} connectMs time for a socket to open
 * @property {number} answerMs time for an answer: the first message, a pong, a poll, a token
 * @property {number} heartbeatMs time without a message after which the server is pinged
 * @property {number} firstDelayMs upper bound of the first pause before reconnecting; it doubles each time
 * @property {number} longestDelayMs upper bound of every pause
 * @property {number} longestReconnectMs upper bound of a pause before reconnecting: it decides when the last of many
 *   clients is back that have lost the same server
 * @property {number} stableMs how long a connection must work before the pauses are reset
 * @property {number} attemptsBeforePolling failed attempts in a row before seats are polled
 * @property {number} pollMs time between polls, ± 25 %
 * @property {number} seats maximum of a screening or a room; more are treated as an error
 * @property {number} subscriptions maximum of watched events or joined rooms
 */

/** @type {Readonly<Limits>} */
export const DEFAULT_LIMITS = Object.freeze({
  connectMs: 10_000,
  answerMs: 10_000,
  heartbeatMs: 15_000,
  firstDelayMs: 500,
  longestDelayMs: 30_000,
  longestReconnectMs: 10_000,
  stableMs: 10_000,
  attemptsBeforePolling: 3,
  pollMs: 3_000,
  seats: 200_000,
  subscriptions: 100,
});

/**
 * Return the default limits with some changes.
 *
 * @param {Partial<Limits>} [changes]
 * @returns {Readonly<Limits>}
 * @throws {RangeError} a limit does not exist or is not a positive number
 */
export function limitsWith(changes = {}) {
  for (const [name, value] of Object.entries(changes)) {
    if (!(name in DEFAULT_LIMITS)) throw new RangeError(`There is no limit ${name}`);
    // With a limit of 0 or NaN the client would reconnect without pauses.
    if (!(Number.isFinite(value) && value > 0)) throw new RangeError(`${name} must be a positive number`);
  }
  return Object.freeze({ ...DEFAULT_LIMITS, ...changes });
}
