// A browser tab with the cinema guide's seat map page. Reads user actions as lines of JSON from standard input,
// [name, ...arguments], and writes their results as lines to standard output.

import { createInterface } from 'node:readline';
import { parameters } from './browser.mjs';
import { confirmPayment, errors, loadSeatMap, reserveSeats } from './cinema_client.mjs';

const { baseUrl, token, screeningId } = parameters;

const updateSeatUI = (seatId, status) => {
  const seatElement = document.getElementById(`seat-${seatId}`);
  seatElement.className = `seat ${status}`;
  seatElement.disabled = status !== 'available';
};

const ws = new WebSocket(
  `${baseUrl.replace('http', 'ws')}/ws/screenings/${screeningId}?token=${token}`,
);
const connected = Promise.withResolvers();
const painted = new EventTarget();

function handleRealtimeUpdate(data) {
  switch (data.type) {
    case 'connection_confirmed':
      connected.resolve();
      break;
    case 'seat_update':
      updateSeatUI(data.seat_id, data.status);
      break;
    case 'bulk_seat_update':
      data.updates.forEach((update) =>
        updateSeatUI(update.seat_id, update.status),
      );
      break;
  }
  painted.dispatchEvent(new Event('update'));
}

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);
  handleRealtimeUpdate(data);
};

const actions = {
  reserve: (seatIds) => reserveSeats(screeningId, seatIds),
  pay: (paymentId, seatIds) => confirmPayment(paymentId, screeningId, seatIds),
  errors: () => errors,
  sees: async (seatId, status) => {
    const seatElement = document.getElementById(`seat-${seatId}`);
    while (seatElement.className !== `seat ${status}`) {
      await new Promise((resolve) => painted.addEventListener('update', resolve, { once: true }));
    }
    return true;
  },
};

await connected.promise;
await loadSeatMap(screeningId);
console.log(JSON.stringify('ready'));
for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...given] = JSON.parse(line);
  console.log(JSON.stringify(await actions[name](...given)));
}
ws.close();
