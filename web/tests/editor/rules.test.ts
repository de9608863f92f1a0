import { expect, test } from 'vitest';
import { type Area, EMPTY, type Plan, type Seat, SEATS_LIMIT } from '../../src/editor/plan';
import { faultsOf } from '../../src/editor/rules';

let key = 0;
const seat = (row: string, number: number, x = number, y = 1): Seat => ({ key: ++key, row, number, type: 'standard', x, y });
const area = (part: Partial<Area>): Area => ({ key: ++key, kind: 'section', name: 'Stalls', x: 0, y: 0, width: 1, height: 1, ...part });
const messages = (plan: Partial<Plan>) => faultsOf({ ...EMPTY, ...plan }).map(({ message }) => message);

test('an ordinary room has no faults', () => {
  const seats = ['A', 'B', 'C'].flatMap((row, line) => [1, 2, 3].map((number) => seat(row, number, number, line + 1)));
  expect(messages({ seats, areas: [area({}), area({ kind: 'aisle', name: '', x: 4 })] })).toEqual([]);
  expect(messages({})).toEqual([]);
});

test('two seats with one name are found, with both seats', () => {
  const [one, other] = [seat('A', 1), seat('A', 1, 5)];
  expect(faultsOf({ ...EMPTY, seats: [one, other] })).toEqual([
    { message: 'Row A, seat 1 is there twice.', keys: [one.key, other.key] },
  ]);
});

test('seats that overlap, stand in an aisle or outside are found', () => {
  expect(messages({ seats: [seat('A', 1), seat('B', 2, 1.4, 1.4)] })).toEqual(['Row A, seat 1 and row B, seat 2 overlap.']);
  const aisle = area({ kind: 'aisle', x: 0.5, width: 1, height: 5 });
  expect(messages({ seats: [seat('A', 1)], areas: [aisle] })).toEqual(['Row A, seat 1 stands in an aisle.']);
  expect(messages({ seats: [seat('A', 1, -1)] })).toEqual(['Row A, seat 1 is outside the room.']);
});

test('any number of seats in one place is named seat by seat', () => {
  const seats = Array.from({ length: 9_000 }, (_, at) => seat('A', at + 1, 1));
  expect(faultsOf({ ...EMPTY, seats })).toHaveLength(8_999);
});

test('seats that nobody can get to are found', () => {
  const row = [1, 2, 3, 4, 5, 6, 7].map((number) => seat('B', number, number, 2));
  const posts = [seat('A', 3, 3, 1.4), seat('A', 6, 6, 1.4)];
  expect(messages({ seats: [...row, ...posts] })).toEqual(
    [3, 4, 5, 6].map((number) => `Row B, seat ${number} cannot be reached: leave room in front of its row.`),
  );
  // A gap in the row is a way in.
  const parted = row.map((one) => (one.number > 4 ? { ...one, x: one.x + 1 } : one));
  expect(messages({ seats: [...parted, posts[0]!, { ...posts[1]!, x: 7 }] })).toEqual([
    'Row B, seat 3 cannot be reached: leave room in front of its row.',
    'Row B, seat 6 cannot be reached: leave room in front of its row.',
  ]);
});

test('names, numbers and totals have bounds', () => {
  expect(messages({ seats: [seat('ABCDE', 1)] })[0]).toContain('no name for a row');
  expect(messages({ seats: [seat('A', 0)] })[0]).toContain('from 1 to 9999');
  expect(messages({ areas: [area({ name: ' ' })] })).toEqual(['A section needs a name of at most 40 characters.']);
  const crowd = Array.from({ length: SEATS_LIMIT + 1 }, (_, n) => seat(`${Math.floor(n / 200) + 1}`, (n % 200) + 1, n % 200, n / 200));
  expect(messages({ seats: crowd })[0]).toBe('There are 10001 seats; a room has at most 10000.');
});
