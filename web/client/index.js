// The client's public names. docs/client.md tells how to use them.

export { ScreeningClient } from './screening_client.js';
export { DEFAULT_LIMITS } from './limits.js';
