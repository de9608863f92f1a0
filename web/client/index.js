// The public interface of the clients; docs/client.md describes it.

export { EventClient } from './event_client.js';
export { DEFAULT_LIMITS } from './limits.js';
export { RoomClient } from './room_client.js';
export { ScreeningClient } from './screening_client.js';

/** @typedef {import('./clock.js').Clock} Clock */
/** @typedef {import('./close_codes.js').CloseReason} CloseReason */
/** @typedef {import('./credentials.js').Token} Token */
/** @typedef {import('./event_client.js').Counts} Counts */
/** @typedef {import('./event_client.js').EventEvents} EventEvents */
/** @typedef {import('./limits.js').Limits} Limits */
/** @typedef {import('./live_client.js').Options} Options */
/** @typedef {import('./live_client.js').State} State */
/** @typedef {import('./room_client.js').Party} Party */
/** @typedef {import('./room_client.js').RoomEvents} RoomEvents */
/** @typedef {import('./room_client.js').Selection} Selection */
/** @typedef {import('./screening_client.js').ScreeningEvents} ScreeningEvents */
/** @typedef {import('./seat_picture.js').Change} Change */
/** @typedef {import('./seat_picture.js').Seat} Seat */
