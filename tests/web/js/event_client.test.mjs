// The client of the event socket.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EventClient } from '../../../web/client/index.js';
import { Stage, settled } from './stage.mjs';

const EVENT = 123;

class EventStage extends Stage {
  constructor(limits = {}) {
    super('the-token', limits, (url, token, options) => new EventClient(url, token, options));
  }

  /** Opens the client, and lets the server greet it. */
  async establish() {
    await this.open();
    this.greet();
  }

  greet() {
    this.accept();
    this.say({ type: 'connection_established', clientId: 'ws_1', timestamp: '' });
  }

  confirm(eventId, availableSeats) {
    this.say({ type: 'subscribed', eventId, timestamp: '' });
    this.count(eventId, availableSeats);
  }

  count(eventId, availableSeats) {
    this.say({ type: 'seat_update', eventId, availableSeats, seatCapacity: 100, timestamp: '' });
  }
}

const asked = (socket) => socket.sent.filter(({ type }) => type === 'subscribe_event').map(({ eventId }) => eventId);

test('subscriptions made before connecting are sent after connecting', async () => {
  const stage = new EventStage();
  stage.client.subscribe(EVENT);
  await stage.open();
  assert.equal(stage.socket.url.href, 'wss://tickets.test/shop/ws?token=the-token');
  assert.deepEqual(stage.socket.sent, []);
  stage.greet();
  assert.deepEqual(stage.socket.sent, [{ type: 'subscribe_event', eventId: EVENT }]);
  assert.equal(stage.client.state, 'live');
});

test('counts and bookings are reported', async () => {
  const stage = new EventStage();
  await stage.establish();
  stage.client.subscribe(EVENT);
  stage.confirm(EVENT, 45);
  stage.say({ type: 'booking_created', eventId: EVENT, availableSeats: 44, timestamp: '' });
  stage.count(EVENT, 44);
  stage.say({ type: 'booking_cancelled', eventId: EVENT, availableSeats: 45, timestamp: '' });
  assert.deepEqual(stage.client.counts.get(EVENT), { eventId: EVENT, availableSeats: 44, seatCapacity: 100 });
  assert.deepEqual(stage.eventsNamed('counts').map(({ availableSeats }) => availableSeats), [45, 44]);
  assert.deepEqual(stage.eventsNamed('booking'), [
    { eventId: EVENT, availableSeats: 44, cancelled: false },
    { eventId: EVENT, availableSeats: 45, cancelled: true },
  ]);
});

test('after a reconnection it subscribes again, except to cancelled subscriptions', async () => {
  const stage = new EventStage();
  await stage.establish();
  for (const eventId of [1, 2, 3]) {
    stage.client.subscribe(eventId);
    stage.confirm(eventId, 10);
  }
  stage.client.unsubscribe(2);
  assert.deepEqual(stage.socket.sent.at(-1), { type: 'unsubscribe_event', eventId: 2 });
  stage.hangUp(1001);
  assert.equal(stage.client.state, 'connecting');
  stage.client.subscribe(4);
  await stage.clock.advance(500);
  stage.greet();
  assert.deepEqual(asked(stage.socket), [1, 3, 4]);
  assert.deepEqual([...stage.client.counts.keys()], [1, 3]);
});

test('an event that may not be watched is reported, and not requested again', async () => {
  const stage = new EventStage();
  await stage.establish();
  stage.client.subscribe(EVENT);
  const refusal = { eventId: EVENT, code: 'event_not_found', message: 'Event not found' };
  stage.say({ type: 'error', ...refusal, timestamp: '' });
  assert.deepEqual(stage.eventsNamed('refused'), [refusal]);
  stage.hangUp();
  await stage.clock.advance(500);
  stage.greet();
  assert.deepEqual(asked(stage.socket), []);
});

test('a temporary refusal is retried with pauses', async () => {
  const stage = new EventStage();
  await stage.establish();
  stage.client.subscribe(EVENT);
  for (let attempts = 1; attempts < 5; attempts += 1) {
    assert.deepEqual(asked(stage.socket).length, attempts);
    stage.say({ type: 'error', eventId: EVENT, code: 'unavailable', message: 'Try again later', timestamp: '' });
    await stage.clock.advance(250 * 2 ** (attempts - 1));
  }
  stage.confirm(EVENT, 7);
  assert.equal(stage.client.counts.get(EVENT).availableSeats, 7);
  assert.deepEqual(stage.eventsNamed('refused'), []);
});

test('late messages about cancelled subscriptions are ignored', async () => {
  const stage = new EventStage();
  await stage.establish();
  stage.client.subscribe(EVENT);
  stage.confirm(EVENT, 7);
  stage.client.unsubscribe(EVENT);
  stage.count(EVENT, 6);
  stage.say({ type: 'booking_created', eventId: EVENT, availableSeats: 6, timestamp: '' });
  stage.say({ type: 'unsubscribed', eventId: EVENT, timestamp: '' });
  assert.equal(stage.client.counts.size, 0);
  assert.equal(stage.eventsNamed('counts').length, 1);
});

test('counts that are not numbers make it reconnect', async () => {
  const stage = new EventStage();
  await stage.establish();
  stage.client.subscribe(EVENT);
  stage.count(EVENT, 'many');
  assert.equal(stage.client.state, 'connecting');
  assert.equal(stage.client.counts.size, 0);
});

test('subscriptions are bounded', () => {
  const stage = new EventStage({ subscriptions: 2 });
  for (const eventId of [1, 2, 2]) stage.client.subscribe(eventId);
  assert.throws(() => stage.client.subscribe(3), RangeError);
});

test('closing it leaves nothing behind', async () => {
  const stage = new EventStage();
  await stage.establish();
  stage.client.subscribe(EVENT);
  stage.say({ type: 'error', eventId: EVENT, code: 'unavailable', message: 'Try again later', timestamp: '' });
  stage.client.close();
  await settled();
  assert.equal(stage.clock.pending, 0);
  assert.equal(stage.client.state, 'closed');
});
