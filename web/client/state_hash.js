// The hash with which the server proves what a client should see (docs/websocket.md).

const RESERVED = 1;
const BOOKED = 2;

/**
 * What a seat adds to the hash.
 *
 * @param {number} seatId
 * @param {number} code `RESERVED` or `BOOKED`
 */
function seatHash(seatId, code) {
  const high = Math.floor(seatId / 2 ** 32);
  return mix(mix(mix(seatId >>> 0) ^ high) ^ code);
}

/** The finaliser of MurmurHash3 for 32 bits. @param {number} word */
function mix(word) {
  word = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  word = Math.imul(word ^ (word >>> 13), 0xc2b2ae35);
  return word ^ (word >>> 16);
}

/**
 * @param {Iterable<import('./seat_picture.js').Seat>} seats
 * @returns {string} eight hexadecimal digits
 */
export function hashOf(seats) {
  let total = 0;
  for (const { seat_id, status, blocked } of seats) {
    if (status === 'available' || blocked) continue;
    total = (total + seatHash(seat_id, status === 'reserved' ? RESERVED : BOOKED)) | 0;
  }
  return (total >>> 0).toString(16).padStart(8, '0');
}
