import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { answered, restClient } from '../src/api/rest';

const BOOK = '/api/v1/seat-reservations/cancel/{screening_id}';
const ONE = { params: { path: { screening_id: 1 } } };
let sent: Request[];

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout'] }));
afterEach(() => void vi.useRealTimers());

/** A client of a server that gives these answers, one after the other. */
function rest(token: () => string | undefined, ...answers: (() => Response)[]) {
  sent = [];
  const fetch = async (request: Request): Promise<Response> => {
    sent.push(request);
    return answers[sent.length - 1]!();
  };
  return restClient('https://tickets.example/box', { token, fetch, refused: (refused) => rejected.push(refused) });
}

const rejected: string[] = [];
const nobody = (): undefined => undefined;
const fine = () => Response.json({ status: 'ok' });
const busy = (seconds = '0') => () => Response.json({ code: 'overloaded' }, { status: 503, headers: { 'Retry-After': seconds } });
const running = () => Response.json({ code: 'idempotency_key_in_flight' }, { status: 409 });
const away = () => {
  throw new TypeError('Failed to fetch');
};

/** The outcome of a call while all pauses are skipped. */
async function outcome<Data>(call: Promise<Data>): Promise<Data | Error> {
  const settled = call.catch((error: Error) => error);
  await vi.advanceTimersByTimeAsync(60_000);
  return settled;
}

test('a request that changes nothing is repeated, with a fresh token each time', async () => {
  const tokens = ['one', 'two', 'three'];
  const api = rest(() => tokens.shift(), away, busy(), fine);
  expect(await outcome(answered(api.GET('/health')))).toEqual({ status: 'ok' });
  expect(sent.map(({ url }) => url)).toEqual(Array(3).fill('https://tickets.example/box/health'));
  expect(sent.map(({ headers }) => headers.get('Authorization'))).toEqual(['Bearer one', 'Bearer two', 'Bearer three']);
});

test('a change is repeated only with a key, also while the first attempt is still carried out', async () => {
  const without = rest(nobody, busy(), fine);
  expect(await outcome(answered(without.DELETE(BOOK, ONE)))).toMatchObject({ status: 503, code: 'overloaded' });
  expect(sent).toHaveLength(1);
  const withKey = rest(nobody, away, running, fine);
  await outcome(answered(withKey.DELETE(BOOK, { ...ONE, headers: { 'Idempotency-Key': 'k' } })));
  expect(sent.map(({ headers }) => headers.get('Idempotency-Key'))).toEqual(['k', 'k', 'k']);
});

test('it gives up after three attempts, and at once if the server asks for a long pause', async () => {
  const api = rest(nobody, away, away, away);
  expect(await outcome(answered(api.GET('/health')))).toMatchObject({ status: 0, code: 'unreachable' });
  expect(sent).toHaveLength(3);
  const patient = rest(nobody, busy('60'));
  expect(await outcome(answered(patient.GET('/health')))).toMatchObject({ status: 503 });
  expect(sent).toHaveLength(1);
});

test('a token that the server rejects is reported, unless the caller has given it', async () => {
  const denied = () => Response.json({ code: 'token_invalid' }, { status: 401 });
  const api = rest(() => 'old', denied, denied);
  expect(await outcome(answered(api.GET('/health')))).toMatchObject({ status: 401, code: 'token_invalid' });
  await outcome(answered(api.GET('/health', { headers: { Authorization: 'Bearer own' } })));
  expect(rejected).toEqual(['old']);
});

test('a bug of the page does not look like an outage', async () => {
  await expect(answered(Promise.reject(new RangeError('Incorrect locale')))).rejects.toThrow(RangeError);
  await expect(answered(Promise.reject(new SyntaxError('Unexpected end of JSON')))).rejects.toMatchObject({ code: 'unreachable' });
});
