// Polling where WebSockets do not work.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../web/client/index.js';
import { SCREENING, Stage, settled, state } from './stage.mjs';

const { answerMs, attemptsBeforePolling, longestDelayMs, pollMs } = DEFAULT_LIMITS;

const entry = (id, status, more = {}) => ({
  seat: { id, room_id: 1, row_label: 'A', seat_number: id, seat_type: 'standard' },
  status,
  reserved_by: null,
  expires_at: null,
  is_mine: status === 'reserved_by_me',
  ...more,
});

/** Answers polls like the server, with 304 for the latest version. */
const availability = (seq, ...entries) => (request) => {
  const tag = `W/"3-${seq}-7"`;
  const headers = { ETag: tag, 'X-Epoch': '3', 'X-Seq': String(seq) };
  if (request.headers['If-None-Match'] === tag) return new Response(null, { status: 304, headers });
  return Response.json(entries, { headers });
};

/** A client that polls because the browser blocks WebSockets. */
async function polling(answer, token) {
  const stage = new Stage(token);
  stage.socketsAllowed = false;
  stage.answerPoll = answer;
  await stage.open();
  await settled();
  return stage;
}

test('if the browser blocks WebSockets, it polls immediately', async () => {
  const stage = await polling(availability(10, entry(41, 'available'), entry(42, 'reserved_by_me')));
  const [poll] = stage.polls;
  assert.equal(
    poll.url,
    `https://tickets.test/shop/api/v1/seat-reservations/screening/${SCREENING}/availability/me`,
  );
  assert.equal(poll.headers.Authorization, 'Bearer the-token');
  assert.equal(stage.client.state, 'polling');
  assert.deepEqual(stage.client.seats.get(42), state(42, 'reserved', { is_mine: true }));
});

test('several failed attempts lead to polling, a single one does not', async () => {
  const stage = new Stage();
  stage.answerPoll = availability(10, entry(41, 'available'));
  await stage.open();
  for (let attempt = 1; attempt <= attemptsBeforePolling; attempt += 1) {
    assert.equal(stage.polls.length, 0);
    assert.equal(stage.sockets.length, attempt);
    stage.hangUp();
    await stage.clock.advance(longestDelayMs / 10);
  }
  assert.equal(stage.client.state, 'polling');
});

test('connections that break before the first message count as failed', async () => {
  const stage = new Stage();
  stage.answerPoll = availability(10, entry(41, 'available'));
  await stage.open();
  for (let attempt = 1; attempt <= attemptsBeforePolling; attempt += 1) {
    stage.confirm(0, 0);
    stage.hangUp();
    await stage.clock.advance(longestDelayMs / 10);
  }
  assert.equal(stage.client.state, 'polling');
});

test('polls repeat, and unchanged seats are not sent again', async () => {
  const stage = await polling(availability(10, entry(41, 'available')));
  await stage.clock.advance(pollMs * 2);
  assert.equal(stage.polls.length, 3);
  assert.deepEqual(stage.polls.map(({ headers }) => headers['If-None-Match']), [
    undefined,
    'W/"3-10-7"',
    'W/"3-10-7"',
  ]);
  assert.equal(stage.eventsNamed('snapshot').length, 1);
  stage.answerPoll = availability(11, entry(41, 'booked'));
  await stage.clock.advance(pollMs);
  assert.deepEqual(stage.eventsNamed('seats')[1].changed, [state(41, 'booked')]);
});

test('WebSockets are tried meanwhile, and continue where the polls left off', async () => {
  const stage = await polling(availability(10, entry(41, 'available')));
  stage.socketsAllowed = true;
  await stage.clock.advance(longestDelayMs);
  assert.equal(stage.socket.url.searchParams.get('since'), '10');
  assert.equal(stage.socket.url.searchParams.get('epoch'), '3');
  const { length } = stage.polls;
  stage.confirm(10, 3);
  assert.equal(stage.client.state, 'live');
  stage.update(11, state(41, 'reserved'));
  assert.deepEqual(stage.picture, { 41: 'reserved' });
  await stage.clock.advance(pollMs);
  assert.equal(stage.polls.length, length);
});

test('a pending poll is ignored once a WebSocket works', async () => {
  const stage = await polling(availability(10, entry(41, 'available')));
  stage.socketsAllowed = true;
  const slow = Promise.withResolvers();
  stage.answerPoll = () => slow.promise;
  await stage.clock.advance(answerMs - 1);
  stage.confirm(10, 3);
  stage.update(12, state(41, 'booked'));
  slow.resolve(availability(11, entry(41, 'reserved'))({ headers: {} }));
  await settled();
  assert.deepEqual(stage.picture, { 41: 'booked' });
});

test('failed polls are reported, followed by a pause, and visible in the state', async () => {
  const stage = await polling(() => Promise.reject(new TypeError('no network')));
  assert.equal(stage.client.state, 'connecting');
  await stage.clock.advance(60_000);
  assert.ok(stage.polls.length >= 5 && stage.polls.length < 10, `${stage.polls.length} polls in a minute`);
  assert.ok(stage.eventsNamed('error').some((error) => error.message === 'no network'));
  stage.answerPoll = availability(10, entry(41, 'available'));
  await stage.clock.advance(longestDelayMs);
  assert.equal(stage.client.state, 'polling');
});

test('Retry-After is honoured up to a limit', async () => {
  for (const [asked, expectedMs] of [['7', 10_500], ['100000', longestDelayMs], ['soon', 250]]) {
    const stage = await polling(() => new Response('', { status: 503, headers: { 'Retry-After': asked } }));
    const started = stage.clock.now();
    while (stage.polls.length === 1) await stage.clock.advance(10);
    assert.equal(stage.clock.now() - started, expectedMs);
  }
});

test('a poll that is not answered is aborted', async () => {
  const stage = await polling(
    ({ signal }) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  );
  await stage.clock.advance(answerMs + 1000);
  assert.equal(stage.polls.length, 2);
  assert.ok(stage.eventsNamed('error').some((error) => error.message === `No answer within ${answerMs} ms`));
});

test('answers that are not a list of seats change nothing', async () => {
  const stage = await polling(availability(10, entry(41, 'available')));
  for (const answer of ['<html>', '{}', '[{}]', '[{"seat": {"id": 41}, "status": "gone"}]']) {
    stage.answerPoll = () => new Response(answer);
    await stage.clock.advance(longestDelayMs);
    assert.deepEqual(stage.picture, { 41: 'available' });
  }
});

test('a rejected token and an unknown screening end the client', async () => {
  const refused = await polling(() => Response.json({}, { status: 401 }));
  assert.equal(refused.eventsNamed('unauthorized').length, 1);
  const unknown = await polling(() => Response.json({ code: 'screening_not_found' }, { status: 404 }));
  assert.equal(unknown.eventsNamed('state').at(-1).code, 4404);
  for (const stage of [refused, unknown]) {
    await stage.clock.advance(600_000);
    assert.equal(stage.client.state, 'closed');
    assert.equal(stage.polls.length, 1);
    assert.equal(stage.clock.pending, 0);
  }
});

test("a proxy's 404 is not the server's", async () => {
  const stage = await polling(() => new Response('<html>', { status: 404 }));
  await stage.clock.advance(60_000);
  assert.ok(stage.polls.length > 1);
});

test('a new token is fetched for every poll', async () => {
  let fetched = 0;
  const stage = await polling(
    ({ headers }) => Response.json([], { status: headers.Authorization === 'Bearer 1' ? 401 : 200 }),
    () => String(++fetched),
  );
  await stage.clock.advance(pollMs);
  assert.equal(stage.client.state, 'polling');
  assert.ok(new Set(stage.polls.map(({ headers }) => headers.Authorization)).size > 1);
});

test('a working connection resets the count of failed attempts', async () => {
  const stage = new Stage();
  stage.chance = 0;
  await stage.show(10, state(41, 'available'));
  for (let outage = 0; outage < 3; outage += 1) {
    for (let attempt = 1; attempt < attemptsBeforePolling; attempt += 1) {
      stage.hangUp();
      await stage.clock.advance(1);
    }
    stage.confirm(10, 3);
  }
  assert.equal(stage.polls.length, 0);
});

test('a token that arrives after polling has ended is not used', async () => {
  const token = Promise.withResolvers();
  let asked = 0;
  const stage = await polling(availability(10), () => (++asked === 1 ? 'for the socket' : token.promise));
  stage.client.close();
  token.resolve('for the poll');
  await settled();
  assert.equal(asked, 2);
  assert.deepEqual(stage.polls, []);
});
