// What it means that a connection ended: whether to come back, and with what. The codes are those of
// docs/websocket.md: of RFC 6455, or 4000 plus a status of HTTP.

/**
 * @typedef {object} Farewell why a connection, or the client, ended
 * @property {number} code close code of the WebSocket; 1006 where there was no close frame
 * @property {string} reason
 */

/** What a client does after a farewell. */
export const Next = Object.freeze({
  /** Connect again after a pause. */
  RETURN: 'return',
  /** The token was refused: connect again with another one, if there is another one. */
  NEW_TOKEN: 'new token',
  /** Coming back would only be told the same. */
  STAY_AWAY: 'stay away',
});

export const POLICY_VIOLATION = 1008;
export const ABNORMAL = 1006;
export const UNAUTHORIZED = 4401;
export const NOT_FOUND = 4404;

const TOKEN_REFUSALS = new Set(['authentication required', 'invalid token', 'token expired', 'token revoked']);
/** Other endings that the client itself has brought about: unreadable, wrong or too large messages. */
const OWN_FAULTS = new Set([1002, 1003, 1007, POLICY_VIOLATION, 1009]);
/**
 * Of the statuses that blame the client, those that pass: timeout, conflict (with a connection of one's own that the
 * server has not noticed to be dead, mostly), too early, too many requests.
 */
const PASSING = new Set([4408, 4409, 4425, 4429]);

/**
 * @param {Farewell} farewell
 * @returns {string} one of `Next`
 */
export function nextAfter({ code, reason }) {
  if (code === UNAUTHORIZED) return Next.NEW_TOKEN;
  if (code === POLICY_VIOLATION && TOKEN_REFUSALS.has(reason.toLowerCase())) return Next.NEW_TOKEN;
  if (OWN_FAULTS.has(code)) return Next.STAY_AWAY;
  if (code >= 4400 && code < 4500 && !PASSING.has(code)) return Next.STAY_AWAY;
  return Next.RETURN;
}
