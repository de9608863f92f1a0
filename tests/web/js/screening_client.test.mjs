// How the client handles the server's messages.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ScreeningClient } from '../../../web/client/index.js';
import { SCREENING, Stage, settled, state } from './stage.mjs';

const query = (socket) => Object.fromEntries(socket.url.searchParams);

test('it requests all seats first, at the given URL', async () => {
  const stage = new Stage();
  await stage.open();
  assert.equal(stage.socket.url.href.split('?')[0], `wss://tickets.test/shop/ws/screenings/${SCREENING}`);
  assert.deepEqual(query(stage.socket), { token: 'the-token', updates: 'bulk', state_hash: 'true', since: '0', epoch: '0' });
  assert.equal(stage.client.state, 'connecting');
});

test('a snapshot in several messages is one change', async () => {
  const stage = new Stage();
  await stage.open();
  stage.confirm(0, 0);
  const part = { type: 'bulk_seat_update', timestamp: '', epoch: 3, snapshot: true };
  stage.say({ ...part, updates: [state(41, 'available')], more: true });
  assert.deepEqual(stage.picture, {});
  stage.say({ ...part, updates: [state(42, 'booked', { booked_by: 7, is_mine: true })], seq: 10 });
  assert.deepEqual(stage.picture, { 41: 'available', 42: 'booked' });
  assert.deepEqual(stage.client.seats.get(42), state(42, 'booked', { booked_by: 7, is_mine: true }));
  assert.deepEqual(stage.eventsNamed('open'), [{ resumed: false }]);
  assert.equal(stage.eventsNamed('snapshot').length, 1);
  assert.deepEqual(stage.eventsNamed('seats')[0].changed.map((seat) => seat.seat_id), [41, 42]);
  assert.equal(stage.client.state, 'live');
});

test('updates change the named seats, and only real changes are reported', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'), state(42, 'available'));
  stage.update(11, state(41, 'reserved', { reserved_by: 7 }), state(42, 'available'));
  stage.update(12, state(41, 'reserved', { reserved_by: 7 }));
  stage.say({ type: 'seat_update', ...state(42, 'booked'), timestamp: '', epoch: 3, seq: 13 });
  assert.deepEqual(stage.picture, { 41: 'reserved', 42: 'booked' });
  const reported = stage.eventsNamed('seats').slice(1).map(({ changed }) => changed.map((seat) => seat.seat_id));
  assert.deepEqual(reported, [[41], [42]]);
});

const hash = (hash, seq, epoch = 3) => ({ type: 'state_hash', screening_id: SCREENING, hash, taken: 1, timestamp: '', epoch, seq });

test('a hash that agrees changes nothing but the position', async () => {
  const stage = new Stage();
  await stage.show(10, state(1, 'reserved'), state(2, 'booked'), state(3, 'reserved', { is_mine: true }));
  stage.update(11, state(4, 'booked', { blocked: true }));
  stage.say(hash('94a6a323', 12));
  assert.equal(stage.client.mismatches, 0);
  stage.hangUp();
  await stage.clock.advance(500);
  assert.equal(query(stage.socket).since, '12');
});

test('a hash that differs makes it load all seats again, less and less often while that does not help', async () => {
  const stage = new Stage();
  await stage.show(10, state(1, 'reserved'));
  /** The position with which it has connected again; null if it has not. */
  const positionAfter = async (message) => {
    const { socket } = stage;
    stage.say(message);
    for (let ms = 0; ms < 5000 && stage.socket === socket; ms += 100) await stage.clock.advance(100);
    return stage.socket === socket ? null : query(stage.socket).since;
  };
  const positions = [];
  for (let number = 1; number <= 4; number += 1) {
    const position = await positionAfter(hash('bb704eb2', 10 + number));
    positions.push(position);
    if (position !== null) {
      stage.confirm(0, 0);
      stage.say({ type: 'bulk_seat_update', updates: [state(1, 'reserved')], timestamp: '', epoch: 3, seq: 10 + number, snapshot: true });
    }
  }
  assert.deepEqual(positions, ['0', '0', null, '0']);
  assert.deepEqual(stage.eventsNamed('mismatch').at(-1), { epoch: 3, seq: 14, mismatches: 4 });
  stage.say(hash('bb704eb1', 15));
  assert.equal(await positionAfter(hash('bb704eb2', 16)), '0');
});

test('a hash of another position is not compared', async () => {
  const stage = new Stage();
  await stage.show(10, state(1, 'reserved'));
  stage.say(hash('00000000', 9));
  stage.say(hash('00000000', 11, 2));
  stage.say({ type: 'bulk_seat_update', updates: [state(2, 'booked')], timestamp: '', epoch: 3, more: true });
  stage.say(hash('00000000', 11));
  assert.equal(stage.client.mismatches, 0);
});

test('it resumes after the last complete update', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'), state(42, 'available'));
  stage.update(12, state(41, 'reserved'));
  stage.say({ type: 'bulk_seat_update', updates: [state(42, 'booked')], timestamp: '', epoch: 3, more: true });
  stage.hangUp();
  assert.deepEqual(stage.picture, { 41: 'reserved', 42: 'available' });
  await stage.clock.advance(500);
  assert.equal(query(stage.socket).since, '12');
  assert.equal(query(stage.socket).epoch, '3');
  stage.confirm(12, 3);
  assert.deepEqual(stage.eventsNamed('open')[1], { resumed: true });
  stage.update(14, state(41, 'available'));
  assert.deepEqual(stage.picture, { 41: 'available', 42: 'available' });
});

test('an access code goes with the socket and with polls', async () => {
  const stage = new Stage('the-token', {}, (url, token, options) =>
    new ScreeningClient(url, SCREENING, token, { ...options, accessCode: 'ink & paper' }));
  stage.socketsAllowed = false;
  await stage.open();
  assert.equal(stage.polls[0].headers['X-Access-Code'], 'ink & paper');
  stage.socketsAllowed = true;
  await stage.clock.advance(60_000);
  assert.equal(query(stage.socket).access_code, 'ink & paper');
});

test('a warning is told once, and counts as seen', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'reserved', { is_mine: true }));
  const warning = { seat_ids: [41], expires_at: '2026-01-26T18:30:00.000Z', remaining_seconds: 60 };
  stage.say({ type: 'hold_expiring', screening_id: SCREENING, ...warning, timestamp: '', epoch: 3, seq: 15 });
  stage.say({ type: 'hold_expiring', screening_id: SCREENING, ...warning, timestamp: '', epoch: 3, seq: 15 });
  assert.deepEqual(stage.eventsNamed('expiring'), [warning]);
  stage.hangUp();
  await stage.clock.advance(500);
  assert.equal(query(stage.socket).since, '15');
});

test('a snapshot after a reconnection replaces everything, and removes missing seats', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'), state(42, 'available'));
  stage.hangUp();
  await stage.clock.advance(500);
  stage.confirm(0, 0);
  stage.say({ type: 'bulk_seat_update', updates: [state(42, 'booked'), state(43, 'available')], timestamp: '',
    epoch: 4, seq: 0, snapshot: true });
  assert.deepEqual(stage.picture, { 42: 'booked', 43: 'available' });
  assert.deepEqual(stage.eventsNamed('seats')[1].removed, [41]);
});

test('a changed screening is announced, and its seats are loaded again', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'));
  const told = [];
  stage.client.addEventListener('altered', (event) => told.push(event.detail));
  stage.say({ type: 'screening_changed', screening_id: 7, seats: 2, available: 1, timestamp: '', epoch: 4 });
  assert.deepEqual(told, [{ seats: 2, available: 1 }]);
  await stage.clock.advance(500);
  assert.equal(stage.sockets.length, 2);
});

test('a new epoch makes it reconnect with its old position', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'));
  stage.say({ type: 'bulk_seat_update', updates: [state(41, 'booked')], timestamp: '', epoch: 4, seq: 1 });
  assert.deepEqual(stage.picture, { 41: 'available' });
  await stage.clock.advance(500);
  assert.equal(stage.sockets.length, 2);
  assert.deepEqual([query(stage.socket).since, query(stage.socket).epoch], ['10', '3']);
});

for (const [what, text] of Object.entries({
  'text that is no JSON': 'oops',
  'an update without seats': '{"type": "bulk_seat_update", "epoch": 3, "seq": 11}',
  'a seat without an id': '{"type": "seat_update", "status": "booked", "epoch": 3, "seq": 11}',
  'a status that does not exist': '{"type": "seat_update", "seat_id": 41, "status": "gone", "epoch": 3, "seq": 11}',
  'an update without a position': '{"type": "seat_update", "seat_id": 41, "status": "booked", "epoch": 3}',
})) {
  test(`after ${what} it starts again from what it knows`, async () => {
    const stage = new Stage();
    await stage.show(10, state(41, 'available'));
    stage.socket.onmessage({ data: text });
    assert.equal(stage.socket.closedWith, 1000);
    assert.deepEqual(stage.picture, { 41: 'available' });
    await stage.clock.advance(500);
    assert.equal(query(stage.socket).since, '10');
  });
}

test('it accepts no more seats than its limit', async () => {
  const stage = new Stage('the-token', { seats: 2 });
  await stage.show(10, state(41, 'available'), state(42, 'available'), state(43, 'available'));
  assert.equal(stage.client.seats.size, 0);
  assert.match(stage.eventsNamed('error')[0].message, /More than 2 seats/);
});

test('unknown messages are ignored', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'));
  stage.say({ type: 'weather', rain: true });
  stage.update(11, state(41, 'booked'));
  assert.deepEqual(stage.picture, { 41: 'booked' });
});

test('closing ends everything at any time', async () => {
  const whileConnecting = new Stage();
  await whileConnecting.open();
  whileConnecting.client.close();
  const whileWaiting = new Stage();
  await whileWaiting.open();
  whileWaiting.hangUp();
  whileWaiting.client.close();
  const whileLive = new Stage();
  await whileLive.show(10, state(41, 'available'));
  whileLive.client.close();
  const whilePolling = new Stage();
  whilePolling.socketsAllowed = false;
  await whilePolling.open();
  whilePolling.client.close();
  const whileFetchingAToken = new Stage(() => new Promise(() => {}));
  await whileFetchingAToken.open();
  whileFetchingAToken.client.close();
  for (const stage of [whileConnecting, whileWaiting, whileLive, whilePolling, whileFetchingAToken]) {
    const { length } = stage.sockets;
    await stage.clock.advance(600_000);
    assert.equal(stage.client.state, 'closed');
    assert.equal(stage.sockets.length, length);
    assert.equal(stage.clock.pending, 0);
    assert.ok(stage.sockets.every((socket) => socket.readyState === 3));
    stage.client.open();
    await settled();
    assert.equal(stage.client.state, 'closed');
  }
  assert.deepEqual(whileLive.picture, { 41: 'available' });
});

test('invalid limits are rejected', () => {
  for (const limits of [{ pollMs: 0 }, { pollMs: Number.NaN }, { pollMs: '3' }, { pause: 3 }]) {
    assert.throws(() => new ScreeningClient('https://tickets.test', 1, 'token', { limits }), RangeError);
  }
});
