// Node as a browser tab: every line of standard input is an expression as a JSON string; its value or exception is
// written as a line of JSON. The console goes to standard error.

import { createInterface } from 'node:readline';
import * as frontrow from '../../../web/client/index.js';

console.log = console.error;
globalThis.frontrow = frontrow;
await import('./actions.mjs');

for await (const line of createInterface({ input: process.stdin })) {
  let result;
  try {
    result = { value: await (0, eval)(JSON.parse(line)) };
  } catch (error) {
    result = { thrown: String(error) };
  }
  process.stdout.write(`${JSON.stringify(result)}\n`);
}
process.exit();
