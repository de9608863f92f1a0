// The client of the rooms socket.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS, RoomClient } from '../../../web/client/index.js';
import { Stage } from './stage.mjs';

const ROOM = 'funcion_123';
const { answerMs, heartbeatMs } = DEFAULT_LIMITS;

class RoomStage extends Stage {
  constructor(token, limits = {}) {
    super(token, limits, (url, ours, options) => new RoomClient(url, 'user_1', { ...options, token: token && ours }));
  }

  /** Opens the client, and lets it join a room. */
  async enter(...seats) {
    this.client.join(ROOM);
    await this.open();
    this.accept();
    this.admit(...seats);
  }

  admit(...seats) {
    this.say({ type: 'pong', timestamp: '' });
    this.say({ type: 'room_joined', room_id: ROOM, client_id: 'user_1' });
    this.say({ type: 'current_selections', selections: seats.map((seat) => selection(seat, 'user_2')) });
  }

  get selected() {
    return [...this.client.selections(ROOM).values()].map(({ seat_id, client_id }) => [seat_id, client_id]);
  }
}

const selection = (seat_id, client_id) => ({ seat_id, room_id: ROOM, client_id });

test('a guest needs no token, a user sends one', async () => {
  const guest = new RoomStage(undefined);
  await guest.open();
  assert.equal(guest.socket.url.href, 'wss://tickets.test/shop/ws/user_1');
  const user = new RoomStage('the-token');
  await user.open();
  assert.equal(user.socket.url.href, 'wss://tickets.test/shop/ws/user_1?token=the-token');
});

test('it pings after opening, because the server sends no greeting', async () => {
  const stage = new RoomStage();
  await stage.open();
  stage.accept();
  assert.deepEqual(stage.socket.sent, [{ type: 'ping' }]);
  assert.equal(stage.client.state, 'connecting');
  stage.say({ type: 'pong', timestamp: '' });
  assert.equal(stage.client.state, 'live');
  await stage.clock.advance(heartbeatMs + answerMs);
  assert.equal(stage.client.state, 'connecting', 'and notices when there are no more');
});

test('it sees who has selected what', async () => {
  const stage = new RoomStage();
  await stage.enter('A3');
  assert.deepEqual(stage.selected, [['A3', 'user_2']]);
  stage.say({ type: 'seat_selected', ...selection('B5', 'user_3'), user_info: { name: 'Ada' } });
  stage.say({ type: 'seat_released', ...selection('A3', 'user_2') });
  stage.say({ type: 'seat_booked', ...selection('B5', 'user_3') });
  assert.deepEqual(stage.selected, [['B5', 'user_3']]);
  assert.equal(stage.client.selections(ROOM).get('B5').status, 'booked');
  const reported = stage.events.map(([name]) => name).filter((name) => name !== 'state');
  assert.deepEqual(reported, ['joined', 'selected', 'released', 'booked']);
});

test('it selects and releases, and reports the outcome', async () => {
  const stage = new RoomStage();
  await stage.enter();
  assert.equal(stage.client.select(ROOM, 'A1', { name: 'Ada' }), true);
  assert.equal(stage.client.release(ROOM, 'A1'), true);
  assert.deepEqual(stage.socket.sent.slice(2), [
    { type: 'select_seat', room_id: ROOM, seat_id: 'A1', user_info: { name: 'Ada' } },
    { type: 'release_seat', room_id: ROOM, seat_id: 'A1' },
  ]);
  const refusal = { room_id: ROOM, seat_id: 'A1', code: 'seats_unavailable', message: 'Seat A1 is booked' };
  stage.say({ type: 'error', ...refusal, timestamp: '' });
  assert.deepEqual(stage.eventsNamed('refused'), [refusal]);
});

test('messages that cannot be sent are not queued', async () => {
  const stage = new RoomStage();
  assert.equal(stage.client.select(ROOM, 'A1'), false);
  await stage.enter();
  assert.ok(!stage.socket.sent.some(({ type }) => type === 'select_seat'));
});

test('after a reconnection it joins its rooms again and sees the changes', async () => {
  const stage = new RoomStage();
  await stage.enter('A3');
  stage.client.join('left');
  stage.client.leave('left');
  stage.hangUp();
  assert.deepEqual(stage.selected, [['A3', 'user_2']], 'known selections stay');
  await stage.clock.advance(500);
  stage.accept();
  assert.deepEqual(stage.socket.sent, [{ type: 'ping' }, { type: 'join_room', room_id: ROOM }]);
  stage.admit('C1', 'C2');
  assert.deepEqual(stage.selected, [['C1', 'user_2'], ['C2', 'user_2']]);
  assert.equal(stage.eventsNamed('joined').length, 2);
});

test('it retries while its own dead connection still has its client id', async () => {
  const stage = new RoomStage();
  await stage.enter();
  stage.hangUp();
  for (let attempt = 0; attempt < 3; attempt += 1) {
    await stage.clock.advance(10_000);
    stage.hangUp(4409, 'Client id in use');
  }
  await stage.clock.advance(10_000);
  stage.accept();
  stage.admit();
  assert.equal(stage.client.state, 'live');
});

test('a refused room is not joined again', async () => {
  const stage = new RoomStage();
  await stage.enter();
  stage.say({ type: 'error', room_id: ROOM, code: 'screening_not_found', message: 'No such room', timestamp: '' });
  stage.hangUp();
  await stage.clock.advance(500);
  stage.accept();
  assert.deepEqual(stage.socket.sent, [{ type: 'ping' }]);
});

test('rooms and selections are bounded', async () => {
  const stage = new RoomStage(undefined, { subscriptions: 1, seats: 2 });
  await stage.enter('A1', 'A2');
  assert.throws(() => stage.client.join('another'), RangeError);
  stage.say({ type: 'seat_selected', ...selection('A3', 'user_2') });
  assert.equal(stage.client.selections(ROOM).size, 2);
  assert.equal(stage.client.state, 'connecting');
});
