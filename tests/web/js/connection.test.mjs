// When and how the client reconnects.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../web/client/index.js';
import { Stage, settled, state } from './stage.mjs';

const { answerMs, connectMs, heartbeatMs, stableMs } = DEFAULT_LIMITS;

/** Waits for the next attempt. Returns the waiting time, rounded to 10 ms. */
async function untilNextAttempt(stage) {
  const { length } = stage.sockets;
  const started = stage.clock.now();
  while (stage.sockets.length === length) await stage.clock.advance(10);
  return stage.clock.now() - started;
}

test('the bound of pauses doubles up to its limit, and pauses are random within it', async () => {
  for (const [chance, expected] of [
    [0.9999, [500, 1000, 2000, 4000, 8000, 10000, 10000, 10000]],
    [0.5, [250, 500, 1000, 2000, 4000, 5000, 5000, 5000]],
  ]) {
    const stage = new Stage();
    stage.chance = chance;
    await stage.open();
    const pauses = [];
    while (pauses.length < expected.length) {
      stage.hangUp();
      pauses.push(await untilNextAttempt(stage));
    }
    assert.deepEqual(pauses, expected);
  }
});

test('pauses are reset only after a connection that lasted', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'));
  const pauses = [];
  for (const lasted of [0, 0, stableMs - 1, stableMs, 0]) {
    await stage.clock.advance(lasted);
    stage.hangUp();
    pauses.push(await untilNextAttempt(stage));
    stage.confirm(10, 3);
  }
  assert.deepEqual(pauses, [250, 500, 1000, 250, 500]);
});

test('an idle connection is pinged, and stays open while it answers', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'));
  for (let pings = 1; pings < 10; pings += 1) {
    await stage.clock.advance(heartbeatMs - 1);
    assert.equal(stage.socket.sent.length, pings - 1);
    await stage.clock.advance(1);
    assert.deepEqual(stage.socket.sent[pings - 1], { type: 'ping' });
    stage.say({ type: 'pong', timestamp: '' });
  }
  assert.equal(stage.sockets.length, 1);
  assert.equal(stage.client.state, 'live');
});

test('a busy connection is not pinged', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'));
  for (let seq = 11; seq < 100; seq += 1) {
    await stage.clock.advance(heartbeatMs / 2);
    stage.update(seq, state(41, seq % 2 ? 'reserved' : 'available'));
  }
  assert.deepEqual(stage.socket.sent, []);
});

test('a connection that does not answer is dropped', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'));
  await stage.clock.advance(heartbeatMs + answerMs - 1);
  assert.equal(stage.client.state, 'live');
  await stage.clock.advance(1);
  assert.equal(stage.client.state, 'connecting');
  assert.equal(stage.sockets[0].closedWith, 1000);
  await untilNextAttempt(stage);
  stage.confirm(10, 3);
  assert.equal(stage.client.state, 'live');
});

test('timers that fire a minute late do not end a live connection', async () => {
  const stage = new Stage();
  await stage.show(10, state(41, 'available'));
  const { setTimeout } = stage.clock;
  stage.clock.setTimeout = (callback, ms) => setTimeout(callback, ms + 60_000);
  for (let minute = 0; minute < 10; minute += 1) {
    await stage.clock.advance(60_000);
    if (stage.socket.sent.length > 0) stage.say({ type: 'pong', timestamp: '' });
  }
  assert.equal(stage.sockets.length, 1);
});

test('a socket that does not open or receives no message is dropped', async () => {
  const stage = new Stage();
  await stage.open();
  await stage.clock.advance(connectMs);
  assert.equal(stage.socket.closedWith, 1000);
  await untilNextAttempt(stage);
  stage.accept();
  await stage.clock.advance(answerMs);
  assert.equal(stage.socket.closedWith, 1000);
});

for (const [code, reason] of [
  [1000, ''],
  [1001, 'Server is shutting down'],
  [1006, ''],
  [1011, ''],
  [1013, 'Reading too slowly'],
  [1013, 'Try again later'],
  [4429, 'Too many connections'],
]) {
  test(`it comes back after ${code} ${reason}`, async () => {
    const stage = new Stage();
    await stage.show(10, state(41, 'available'));
    stage.hangUp(code, reason);
    assert.equal(stage.client.state, 'connecting');
    await untilNextAttempt(stage);
    assert.equal(stage.sockets.length, 2);
  });
}

for (const [code, reason] of [
  [1008, 'Invalid query'],
  [1008, 'Too many messages'],
  [1009, 'Message too big'],
  [4403, 'Forbidden'],
  [4404, 'Screening not found'],
]) {
  test(`it stays away after ${code} ${reason}, and says why`, async () => {
    const stage = new Stage();
    await stage.open();
    stage.accept();
    stage.hangUp(code, reason);
    await stage.clock.advance(600_000);
    assert.equal(stage.sockets.length, 1);
    assert.deepEqual(stage.eventsNamed('state').at(-1), { state: 'closed', previous: 'connecting', code, reason });
    assert.deepEqual(stage.eventsNamed('unauthorized'), []);
    assert.equal(stage.clock.pending, 0);
  });
}

for (const reason of ['Authentication required', 'Invalid token', 'Token expired', 'Token revoked']) {
  test(`a token that is all there is and is refused (${reason}) ends it`, async () => {
    const stage = new Stage();
    await stage.open();
    stage.accept();
    stage.hangUp(1008, reason);
    await stage.clock.advance(600_000);
    assert.equal(stage.sockets.length, 1);
    assert.deepEqual(stage.eventsNamed('unauthorized'), [{ code: 1008, reason }]);
    assert.equal(stage.client.state, 'closed');
  });
}

test('a new token is fetched for every attempt, and an expired one does not end the client', async () => {
  let fetched = 0;
  const stage = new Stage(async () => `token-${++fetched}`);
  await stage.show(10, state(41, 'available'));
  for (let time = 0; time < 5; time += 1) {
    await stage.clock.advance(stableMs);
    stage.hangUp(1008, 'Token expired');
    await untilNextAttempt(stage);
    stage.confirm(10, 3);
  }
  assert.equal(stage.socket.url.searchParams.get('token'), 'token-6');
  assert.equal(stage.client.state, 'live');
});

test('two new tokens rejected in a row end the client', async () => {
  const stage = new Stage(() => 'never good');
  await stage.open();
  stage.hangUp(1008, 'Invalid token');
  await untilNextAttempt(stage);
  stage.hangUp(1008, 'Invalid token');
  await stage.clock.advance(600_000);
  assert.equal(stage.sockets.length, 2);
  assert.equal(stage.eventsNamed('unauthorized').length, 1);
});

test('a token function that throws or never answers is called again', async () => {
  let asked = 0;
  const stage = new Stage(() => {
    asked += 1;
    if (asked === 1) throw new Error('no network');
    return asked === 2 ? new Promise(() => {}) : 'token';
  });
  await stage.open();
  assert.equal(stage.eventsNamed('error')[0].message, 'no network');
  await stage.clock.advance(500 + answerMs);
  assert.match(stage.eventsNamed('error')[1].message, /The token took longer than/);
  await stage.clock.advance(1000);
  assert.equal(stage.sockets.length, 1);
  await settled();
});
