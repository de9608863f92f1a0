import { expect, test } from 'vitest';
import { Problem, unreachable } from '../src/api/problem';
import { Unanswered } from '../src/ops/unanswered';

const REFUSED = new Problem(409, 'not_enough_tickets', 'Not enough tickets', false);
const IN_FLIGHT = new Problem(409, 'idempotency_key_in_flight', 'It is being carried out', true);

/** Sends requests whose calls end as given; returns the keys. */
async function keysOf(...calls: readonly (readonly [request: unknown, end: Problem | null])[]): Promise<string[]> {
  const requests = new Unanswered('sale');
  const keys: string[] = [];
  for (const [request, end] of calls) {
    const call = (key: string): Promise<string> => {
      keys.push(key);
      return end ? Promise.reject(end) : Promise.resolve('done');
    };
    await requests.send(request, call).catch((error: unknown) => expect(error).toBe(end));
  }
  return keys;
}

test('a request keeps its key until it is answered', async () => {
  const [first, again, third, next] = await keysOf([{ a: 1 }, unreachable()], [{ a: 1 }, IN_FLIGHT], [{ a: 1 }, null], [{ a: 1 }, null]);
  expect(first).toMatch(/^sale-/);
  expect([again, third]).toEqual([first, first]);
  expect(next).not.toBe(first);
});

test('a request that was refused, or is another one, has a key of its own', async () => {
  const [lost, other, refused, corrected] = await keysOf(
    [{ a: 1 }, unreachable()],
    [{ a: 2 }, REFUSED],
    [{ a: 2 }, null],
    [{ a: 1 }, null],
  );
  expect(new Set([lost, other, refused]).size).toBe(3);
  expect(corrected).toBe(lost);
});
