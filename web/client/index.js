// The public interface of the clients; docs/client.md describes it.

export { EventClient } from './event_client.js';
export { DEFAULT_LIMITS } from './limits.js';
export { RoomClient } from './room_client.js';
export { ScreeningClient } from './screening_client.js';
