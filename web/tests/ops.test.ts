import { describe, expect, test } from 'vitest';
import { chosenOf } from '../src/ops/blocks';
import { ageOf, applyUpdates, countsOf, describe as describeState, neighbour, type RoomSeat, type SeatState } from '../src/ops/hall';
import { History, type LogEvent } from '../src/ops/history';
import { addPoint, emptySeries, FIGURES } from '../src/ops/live';

const NOW = Date.parse('2030-01-01T12:00:00Z');

function held(holder: string, since = NOW): SeatState {
  return { status: 'held', since, expiresAt: since + 300_000, holder, ticketId: null };
}

function event(seq: number, kind: string, seats: Record<number, string>, to: string, holder: string | null): LogEvent {
  return {
    epoch: 1,
    seq,
    at: new Date(NOW + seq * 1000).toISOString(),
    kind,
    actor: holder ?? 'system',
    holder,
    seat_ids: Object.keys(seats).map(Number),
    from_statuses: Object.values(seats),
    to_status: to,
  } as LogEvent;
}

const EVENTS = [
  event(1, 'seats_held', { 1: 'available', 2: 'available' }, 'held', 'user:7'),
  event(2, 'tickets_issued', { 1: 'held' }, 'pending', 'user:7'),
  event(3, 'tickets_confirmed', { 1: 'pending' }, 'booked', null),
  event(4, 'holds_expired', { 2: 'held' }, 'available', null),
  event(5, 'tickets_cancelled', { 1: 'booked' }, 'available', null),
];

describe('a history', () => {
  const states = (history: History, position: number): Record<number, string> =>
    Object.fromEntries([...history.at(position)].map(([seat, { status }]) => [seat, status]));

  test('has the states at every position, in any order of asking', () => {
    const history = new History(EVENTS);
    const expected = [{}, { 1: 'held', 2: 'held' }, { 1: 'pending', 2: 'held' }, { 1: 'booked', 2: 'held' }, { 1: 'booked' }, {}];
    for (const position of [5, 0, 3, 4, 1, 2, 5]) expect(states(history, position)).toEqual(expected[position]);
  });

  test('counts seats after every event', () => {
    const { held: holds, sold } = new History(EVENTS).counts;
    expect(holds).toEqual([0, 2, 1, 1, 0, 0]);
    expect(sold).toEqual([0, 0, 1, 1, 1, 0]);
  });

  test('knows the holder and the age through payment', () => {
    const state = new History(EVENTS).at(3).get(1);
    expect([state?.holder, state?.since]).toEqual(['user:7', NOW + 2000]);
  });

  test('is right far from its checkpoints too', () => {
    const long = Array.from({ length: 5000 }, (_, index) =>
      index % 2
        ? event(index, 'holds_released', { 9: 'held' }, 'available', null)
        : event(index, 'seats_held', { 9: 'available' }, 'held', `user:${index}`),
    );
    const history = new History(long);
    for (const position of [4999, 2001, 2000, 1, 4001]) {
      expect(history.at(position).get(9)?.holder).toBe(position % 2 ? `user:${position - 1}` : undefined);
    }
  });

  test('gives seats of a block back to it, until they leave it', () => {
    const ofBlock = (of: LogEvent, seats: number[]): LogEvent => ({ ...of, block_id: 40, block_seat_ids: seats });
    const history = new History([
      ofBlock(event(1, 'seats_blocked', { 1: 'available', 2: 'available' }, 'blocked', null), [1, 2]),
      event(2, 'seats_held', { 1: 'blocked', 3: 'available' }, 'held', 'user:7'),
      event(3, 'holds_released', { 1: 'held', 3: 'held' }, 'available', null),
      event(4, 'seats_held', { 1: 'blocked' }, 'held', 'user:7'),
      ofBlock(event(5, 'seats_unblocked', { 2: 'blocked' }, 'available', null), []),
      event(6, 'holds_expired', { 1: 'held' }, 'available', null),
    ]);
    const expected = [
      {},
      { 1: 'blocked', 2: 'blocked' },
      { 1: 'held', 2: 'blocked', 3: 'held' },
      { 1: 'blocked', 2: 'blocked' },
      { 1: 'held', 2: 'blocked' },
      { 1: 'held' },
      {},
    ];
    for (const position of [6, 3, 0, 1, 4, 2, 5]) expect(states(history, position)).toEqual(expected[position]);
    expect(history.at(3).get(1)?.holder).toBeNull();
  });

  test('may be empty', () => {
    expect(new History([]).at(0).size).toBe(0);
  });
});

test('the chosen seats of each block are those that it loses', () => {
  const block = (id: number, seat_ids: number[]): Parameters<typeof chosenOf>[0][number] => ({
    ...{ id, seat_ids, label: 'Press', kind: 'house', channel: null, ticket_type_id: null, quantity: seat_ids.length },
    ...{ kept: 1, sold: 0, release_at: null, created_at: '', created_by: 'user:1' },
  });
  const blocks = [block(1, [1, 2, 3]), block(2, [4]), block(3, [])];
  expect(chosenOf(blocks, [2, 3, 9]).map(({ block: { id }, seatIds }) => [id, seatIds])).toEqual([[1, [2, 3]]]);
});

describe('what the socket tells', () => {
  test('changes states, and leaves alone what it only repeats', () => {
    const states = new Map([
      [1, held('user:7', NOW - 5000)],
      [2, held('~guest')],
      [3, { ...held('user:8'), status: 'pending' as const, ticketId: 5 }],
    ]);
    applyUpdates(
      states,
      [
        { seat_id: 1, status: 'reserved', reserved_by: 7, expires_at: new Date(NOW + 900_000).toISOString() },
        { seat_id: 2, status: 'available' },
        { seat_id: 3, status: 'reserved', reserved_by: 8 },
        { seat_id: 4, status: 'booked', booked_by: 9 },
      ],
      NOW,
    );
    expect(states.get(1)).toEqual({ ...held('user:7', NOW - 5000), expiresAt: NOW + 900_000 });
    expect(states.has(2)).toBe(false);
    expect(states.get(3)?.ticketId).toBe(5);
    expect(states.get(4)).toEqual({ status: 'booked', since: NOW, expiresAt: null, holder: 'user:9', ticketId: null });
    expect(countsOf(states, 10)).toEqual({ held: 1, sold: 2, blocked: 0, free: 7 });
  });

  test('tells seats that are kept back from sold ones', () => {
    const states = new Map([[2, held('user:7')]]);
    applyUpdates(
      states,
      [
        { seat_id: 1, status: 'booked', blocked: true },
        { seat_id: 2, status: 'booked', blocked: true },
        { seat_id: 3, status: 'booked', booked_by: 9 },
      ],
      NOW,
    );
    expect([1, 2, 3].map((seat) => states.get(seat)?.status)).toEqual(['blocked', 'blocked', 'booked']);
    expect(states.get(2)?.holder).toBe(null);
    expect(describeState(states.get(1)!, new Map())).toBe('kept back');
    expect(countsOf(states, 10)).toEqual({ held: 0, sold: 1, blocked: 2, free: 7 });
    applyUpdates(states, [{ seat_id: 1, status: 'available' }, { seat_id: 2, status: 'booked', booked_by: 8 }], NOW);
    expect([states.has(1), states.get(2)?.status]).toEqual([false, 'booked']);
  });

  test('a seat that changes hands is new', () => {
    const states = new Map([[1, held('user:7', NOW - 5000)]]);
    applyUpdates(states, [{ seat_id: 1, status: 'reserved', reserved_by: 8 }], NOW);
    expect([states.get(1)?.holder, states.get(1)?.since]).toEqual(['user:8', NOW]);
  });
});

test('ages go from new to old', () => {
  expect([0, 5, 10, 60].map((minutes) => ageOf(held('user:7', NOW - minutes * 60_000), NOW))).toEqual([0, 0.5, 1, 1]);
  const sold = { ...held('user:7', NOW - 3_600_000), status: 'booked' as const };
  expect(ageOf(sold, NOW)).toBeGreaterThan(0.4);
  expect(ageOf({ ...sold, since: null }, NOW)).toBe(0);
});

test('arrows move by geometry', () => {
  const seat = (id: number, x: number, y: number) => ({ id, x, y }) as RoomSeat;
  // A curved row, an aisle, and a shorter row behind it.
  const seats = [seat(1, 1, 1), seat(2, 2, 0.8), seat(3, 4, 1), seat(4, 2.5, 2)];
  const [first, second] = seats as [RoomSeat, RoomSeat];
  expect(neighbour(seats, first, 'ArrowRight').id).toBe(2);
  expect(neighbour(seats, second, 'ArrowRight').id).toBe(3);
  expect(neighbour(seats, second, 'ArrowDown').id).toBe(4);
  expect(neighbour(seats, first, 'ArrowLeft').id).toBe(1);
});

test('only the last points are kept', () => {
  const series = emptySeries();
  const point = Object.fromEntries(FIGURES.map((figure) => [figure, 1])) as Parameters<typeof addPoint>[2];
  for (let time = 0; time < 400; time++) addPoint(series, time, point);
  expect([series.times.length, series.times[0], series.held.length]).toEqual([300, 100, 300]);
});
