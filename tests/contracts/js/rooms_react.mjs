// The rooms guide's React component, verbatim except for its markup, with a stand-in for React that keeps state and
// runs effects after each rendering.

import { readFileSync } from 'node:fs';

const { serverUrl, screeningId, seatId, otherSeatId } = JSON.parse(process.argv[2]);
const read = (name) => readFileSync(new URL(name, import.meta.url), 'utf8');

const states = [];
const effects = [];
let cursor = 0;
let effectCursor = 0;
let pending = [];

const useState = (initial) => {
  const place = cursor++;
  if (!(place in states)) states[place] = initial;
  const set = (value) => {
    states[place] = typeof value === 'function' ? value(states[place]) : value;
  };
  return [states[place], set];
};

const useEffect = (effect, dependencies) => {
  const place = effectCursor++;
  const before = effects[place];
  if (!before || dependencies.some((value, n) => value !== before[n])) pending.push(effect);
  effects[place] = dependencies;
};

const client = new Function(`${read('seat_selection_client.js')}; return SeatSelectionClient;`)();
class SeatSelectionClient extends client {
  constructor() {
    super(serverUrl);
  }
}

const markup = '    return (\n        <div>';
const [logic] = read('seat_selection.jsx').replace(/^import .*$/m, '').split(markup);
const SeatSelection = new Function(
  'useState',
  'useEffect',
  'SeatSelectionClient',
  `${logic} return { client, handleSeatClick, isSeatAvailable, isSeatSelectedByOther }; }; return SeatSelection;`,
)(useState, useEffect, SeatSelectionClient);

console.log = () => {};
console.error = () => {};
const faults = [];

function render() {
  cursor = 0;
  effectCursor = 0;
  const component = SeatSelection({ funcionId: `funcion_${screeningId}` });
  const due = pending;
  pending = [];
  for (const effect of due) {
    try {
      effect();
    } catch (error) {
      faults.push(error.message);
    }
  }
  return component;
}

async function until(condition) {
  while (!condition(render())) await new Promise((resolve) => setTimeout(resolve, 5));
  return render();
}

render();
const component = await until(({ client }) => client?.ws.readyState === WebSocket.OPEN);
// As written, the component joins before the connection is open, which its client refuses.
component.client.joinRoom(`funcion_${screeningId}`);
await until(({ isSeatSelectedByOther }) => isSeatSelectedByOther(otherSeatId));

const seen = [];
const listen = component.client.onMessageCallback;
component.client.setMessageCallback((message) => {
  seen.push(message);
  listen(message);
});
render().handleSeatClick(seatId);
await until(() => seen.some((message) => message.type === 'seat_selected' && message.seat_id === seatId));
process.stdout.write(`${JSON.stringify({ ready: true })}\n`);
const freed = await until(({ isSeatAvailable }) => isSeatAvailable(otherSeatId));
const report = {
  faults,
  seen,
  clientId: freed.client.clientId,
  mine: freed.isSeatSelectedByOther(seatId),
};
freed.client.disconnect();
process.stdout.write(`${JSON.stringify(report)}\n`);
