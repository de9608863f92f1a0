// Two of the rooms guide's clients, verbatim, in one room. Reports the messages that each received, in order.

import { readFileSync } from 'node:fs';

const { serverUrl, roomId, seatId } = JSON.parse(process.argv[2]);
const source = readFileSync(new URL('seat_selection_client.js', import.meta.url), 'utf8');
const SeatSelectionClient = new Function(`${source}; return SeatSelectionClient;`)();

console.log = () => {};
const report = (findings) => process.stdout.write(`${JSON.stringify(findings)}\n`);
const closed = [];

async function open(name) {
  const client = new SeatSelectionClient(serverUrl);
  const received = [];
  const arrived = new EventTarget();
  client.setMessageCallback((message) => {
    received.push(message);
    arrived.dispatchEvent(new Event('message'));
  });
  client.setCloseCallback(() => closed.push(name));
  client.connect();
  await new Promise((resolve) => client.ws.addEventListener('open', resolve));
  // The guide uses milliseconds as ids.
  await new Promise((resolve) => setTimeout(resolve, 2));
  const until = async (count) => {
    while (received.length < count) {
      await new Promise((resolve) => arrived.addEventListener('message', resolve, { once: true }));
    }
  };
  return { client, received, until };
}

const first = await open('first');
const second = await open('second');

let refusal;
try {
  first.client.selectSeat(seatId);
} catch (error) {
  refusal = error.message;
}

first.client.joinRoom(roomId);
second.client.joinRoom(roomId);
await Promise.all([first.until(2), second.until(2)]);

first.client.selectSeat(seatId, { name: 'Ada', email: 'ada@home.example' });
await Promise.all([first.until(3), second.until(3)]);
second.client.selectSeat(seatId);
await second.until(4);
first.client.releaseSeat(seatId);
await Promise.all([first.until(4), second.until(5)]);
second.client.selectSeat(seatId);
await Promise.all([first.until(5), second.until(6)]);
first.client.ping();
await first.until(6);
first.client.leaveRoom();
await first.until(7);
second.client.releaseSeat(seatId);
await second.until(7);

const gone = Promise.all(
  [first, second].map(({ client }) => new Promise((resolve) => client.ws.addEventListener('close', resolve))),
);
first.client.disconnect();
second.client.disconnect();
await gone;

report({
  ids: [first.client.clientId, second.client.clientId],
  first: first.received,
  second: second.received,
  refusal,
  closed: closed.sort(),
});
