// A component that uses the event guide's hook. Each line of standard input has its properties, [eventId, token], or
// null to unmount it; each rendering is written as a line of JSON to standard output. The hook's address is
// hard-coded, so the WebSocket stand-in redirects it to the server.

import { registerHooks } from 'node:module';
import { createInterface } from 'node:readline';

const [serverUrl] = process.argv.slice(2);
const GUIDE_URL = 'ws://localhost:3000';

const standIn = new URL('./react_stand_in.mjs', import.meta.url).href;
registerHooks({
  resolve: (specifier, context, otherwise) =>
    specifier === 'react' ? { url: standIn, shortCircuit: true } : otherwise(specifier, context),
});
const BrowserSocket = globalThis.WebSocket;
globalThis.WebSocket = class extends BrowserSocket {
  constructor(address) {
    super(address.replace(GUIDE_URL, serverUrl));
  }
};

const { mount, unmount } = await import('./react_stand_in.mjs');
const { useEventWebSocket } = await import('./use_event_websocket.mjs');

const show = (rendered) => console.log(JSON.stringify(rendered));

for await (const line of createInterface({ input: process.stdin })) {
  const given = JSON.parse(line);
  if (given === null) unmount();
  else mount(() => useEventWebSocket(...given), show);
}
