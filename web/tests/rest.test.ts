import { expect, test, vi } from 'vitest';
import { Rest } from '../src/seats/rest';
import { ServerClock } from '../src/seats/server_clock';

const BEST = 'api/v1/seat-reservations/best-available';
let keys: (string | null)[];

/** What the server answers, one after the other. */
function server(...answers: (() => Response)[]): Rest {
  keys = [];
  vi.stubGlobal('fetch', async (_: URL, { headers }: RequestInit) => {
    keys.push(new Headers(headers).get('Idempotency-Key'));
    return answers[keys.length - 1]!();
  });
  return new Rest(new URL('https://tickets.example/'), '', new ServerClock());
}

const busy = () => Response.json({ code: 'overloaded' }, { status: 503, headers: { 'Retry-After': '0' } });
const away = () => {
  throw new TypeError('Failed to fetch');
};

test('a repeated request has the key of the first, so that the server answers it once', async () => {
  const rest = server(busy, away, () => Response.json({ reservations: [] }, { status: 201 }));
  expect(await rest.post(BEST, { quantity: 2 }, 'one')).toEqual({ reservations: [] });
  expect(keys).toEqual(['one', 'one', 'one']);
});

test('a caller that repeats a request itself is told at once that there is no answer', async () => {
  await expect(server(away).get('api/v1/screenings/1', 1)).rejects.toMatchObject({ code: 'unreachable' });
  const rest = server(busy, () => Response.json({ id: 1 }));
  expect(await rest.get('api/v1/screenings/1', 1), 'it waits as long as the server asks for').toEqual({ id: 1 });
});

test('a request that may be repeated has no key', async () => {
  const rest = server(() => Response.json({}));
  await rest.post('api/v1/seat-reservations/reserve', { seat_ids: [1] });
  expect(keys).toEqual([null]);
});

test('a party that does not fit is told which would', async () => {
  const refused = { code: 'no_adjacent_seats', detail: 'No 4 such seats', quantity: 4, largest: 3 };
  const rest = server(() => Response.json(refused, { status: 409 }));
  await expect(rest.post(BEST, { quantity: 4 })).rejects.toMatchObject({ code: 'no_adjacent_seats', largest: 3, taken: [] });
});

test('a choice that would leave a seat alone is told which, and what to choose instead', async () => {
  const refused = { code: 'would_strand_seat', detail: '…', stranded: [1], alternatives: [[1, 2], [3, 4]] };
  const rest = server(() => Response.json(refused, { status: 409 }));
  const { code, stranded, alternatives } = refused;
  await expect(rest.post('reserve', {})).rejects.toMatchObject({ code, stranded, alternatives, taken: [] });
});
