// What to do after a connection has ended: reconnect or not, and with which token. docs/websocket.md lists the close
// codes: those of RFC 6455, or 4000 plus an HTTP status.

/**
 * @typedef {object} CloseReason why a connection, or the client, ended
 * @property {number} code close code of the WebSocket; 1006 without a close frame
 * @property {string} reason
 */

/** What the client does next. */
export const Next = Object.freeze({
  /** Reconnect after a pause. */
  RETURN: 'return',
  /** The token was rejected: reconnect with another one, if there is one. */
  NEW_TOKEN: 'new token',
  /** Reconnecting would fail the same way. */
  STAY_AWAY: 'stay away',
});

export const POLICY_VIOLATION = 1008;
export const ABNORMAL = 1006;
export const UNAUTHORIZED = 4401;
export const NOT_FOUND = 4404;

const TOKEN_REFUSALS = new Set(['authentication required', 'invalid token', 'token expired', 'token revoked']);
/** Other codes for faults of the client: unreadable, invalid or too large messages. */
const OWN_FAULTS = new Set([1002, 1003, 1007, POLICY_VIOLATION, 1009]);
/**
 * Statuses of client errors that are temporary: timeout, conflict (usually with the client's own dead connection, which
 * the server has not noticed yet), too early, too many requests.
 */
const PASSING = new Set([4408, 4409, 4425, 4429]);

/**
 * @param {CloseReason} closeReason
 * @returns {string} one of `Next`
 */
export function nextAfter({ code, reason }) {
  if (code === UNAUTHORIZED) return Next.NEW_TOKEN;
  if (code === POLICY_VIOLATION && TOKEN_REFUSALS.has(reason.toLowerCase())) return Next.NEW_TOKEN;
  if (OWN_FAULTS.has(code)) return Next.STAY_AWAY;
  if (code >= 4400 && code < 4500 && !PASSING.has(code)) return Next.STAY_AWAY;
  return Next.RETURN;
}
