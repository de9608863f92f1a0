// A page with the event guide's client. Each line of standard input is a list of calls, [method, ...arguments],
// which are made at once; what the client logs is written as lines of JSON to standard output.

import { createInterface } from 'node:readline';
import { EventBookingWebSocket } from './event_booking_websocket.mjs';

const [baseUrl, token] = process.argv.slice(2);

console.log = (...words) => process.stdout.write(`${JSON.stringify(words)}\n`);
console.error = console.log;

const wsClient = new EventBookingWebSocket(baseUrl, token);
for await (const line of createInterface({ input: process.stdin })) {
  for (const [method, ...given] of JSON.parse(line)) wsClient[method](...given);
}
