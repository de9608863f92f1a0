import { describe, expect, test } from 'vitest';
import { Plan, type PlanSeat } from '../src/seats/plan';
import { minutesAndSeconds, ServerClock } from '../src/seats/server_clock';
import { Look, SeatStates } from '../src/seats/states';
import { ENGLISH, filled } from '../src/seats/texts';
import { Viewport } from '../src/seats/viewport';

/** Two blocks of three seats with an aisle between them, in three rows; the last row is bent. */
function hall(): Plan {
  const seats: PlanSeat[] = [];
  ['A', 'B', 'C'].forEach((row, line) => {
    for (let number = 1; number <= 6; number++) {
      const x = number + (number > 3 ? 2 : 0);
      const y = line + 1 + (row === 'C' ? Math.abs(number - 3.5) * 0.2 : 0);
      seats.push({ id: seats.length + 100, row, number, type: 'standard', x, y });
    }
  });
  return new Plan(seats);
}

function named(plan: Plan, index: number): string {
  const seat = plan.seats[index];
  return seat ? `${seat.row}${seat.number}` : 'none';
}

describe('plan', () => {
  test.each([
    ['A1', 'right', 'A2'],
    ['A3', 'right', 'A4'],
    ['A6', 'right', 'none'],
    ['A1', 'left', 'none'],
    ['A1', 'up', 'none'],
    ['A2', 'down', 'B2'],
    ['B4', 'down', 'C4'],
    ['C6', 'up', 'B6'],
    ['C3', 'right', 'C4'],
    ['C1', 'down', 'none'],
  ] as const)('from %s to the %s is %s', (from, direction, to) => {
    const plan = hall();
    expect(named(plan, plan.neighbour(plan.find(from), direction))).toBe(to);
  });

  test('finds what people type', () => {
    const plan = hall();
    for (const words of ['b4', ' B 4 ', 'B-4', 'row b seat 4', 'Row B, seat 4']) expect(named(plan, plan.find(words))).toBe('B4');
    for (const words of ['', 'B', '4', 'D1', 'B44', 'row seat']) expect(plan.find(words)).toBe(-1);
  });

  test('knows the seat at a point, the rows and the aisles', () => {
    const plan = hall();
    expect(named(plan, plan.at(1.3, 0.8))).toBe('A1');
    expect(plan.at(4.9, 1)).toBe(-1);
    expect(plan.rows.map(({ label, seats }) => label + seats.length)).toEqual(['A6', 'B6', 'C6']);
    expect(plan.benches).toHaveLength(6);
    expect(named(plan, plan.endOfRow(plan.find('B3'), 'last'))).toBe('B6');
    const found: string[] = [];
    plan.within({ left: 0, right: 2.5, top: 1.5, bottom: 2.5 }, (index) => found.push(named(plan, index)));
    expect(found.sort()).toEqual(['B1', 'B2']);
  });

  test('draws a room without coordinates in rows', () => {
    const seats = [1, 2, 1, 2].map((number, at) => ({ id: at, row: at < 2 ? 'A' : 'B', number, type: 'vip', x: 0, y: 0 }));
    const plan = new Plan(seats);
    expect(plan.seats.map(({ x, y }) => [x, y])).toEqual([[1, 1], [2, 1], [1, 2], [2, 2]]);
    expect(named(plan, plan.neighbour(0, 'down'))).toBe('B1');
  });

  test('of an empty room is empty', () => {
    const plan = new Plan([]);
    expect(plan.at(0, 0)).toBe(-1);
    expect(plan.rows).toEqual([]);
  });
});

describe('viewport', () => {
  function shown(width: number, height: number): Viewport {
    const view = new Viewport();
    view.resize(width, height);
    view.show({ left: 1, right: 100, top: 1, bottom: 50 });
    return view;
  }

  test('shows the whole hall at first, and again after a change of size', () => {
    const view = shown(800, 600);
    expect(view.isFitted).toBe(true);
    view.resize(320, 400);
    const { left, right } = view.visible;
    expect(left).toBeLessThan(1);
    expect(right).toBeGreaterThan(100);
  });

  test('zooms around a point, within limits', () => {
    const view = shown(800, 600);
    const before = view.toHall(200, 300);
    view.zoom(3, 200, 300);
    expect(view.toHall(200, 300).x).toBeCloseTo(before.x);
    expect(view.toHall(200, 300).y).toBeCloseTo(before.y);
    view.zoom(1000);
    expect(view.scale).toBe(view.largestScale);
    view.zoom(0.0001);
    expect(view.isFitted).toBe(true);
  });

  test('never leaves the hall', () => {
    const view = shown(800, 600);
    view.zoom(5);
    view.pan(1e6, 1e6);
    expect(view.toHall(0, 0).x).toBeCloseTo(view.hall.left);
    view.pan(-1e6, -1e6);
    expect(view.toHall(800, 600).y).toBeCloseTo(view.hall.bottom);
  });

  test('reveals a seat that is out of sight, and moves no further than needed', () => {
    const view = shown(800, 600);
    view.zoom(5);
    view.pan(1e6, 1e6);
    expect(view.reveal(90, 40)).toBe(true);
    const [x, y] = [90 * view.scale + view.x, 40 * view.scale + view.y];
    expect(x > 0 && x < 800 && y > 0 && y < 600).toBe(true);
    expect(view.reveal(90, 40)).toBe(false);
  });
});

describe('states', () => {
  test('are counted, and only changes are reported', () => {
    const states = new SeatStates(5);
    const mine = { index: 1, status: 'reserved' as const, isMine: true, expiresMs: 5_000 };
    const sold = { index: 2, status: 'booked' as const, isMine: false, expiresMs: null };
    expect(states.apply([mine, sold])).toEqual([
      { index: 1, before: Look.Available, after: Look.Mine },
      { index: 2, before: Look.Available, after: Look.Booked },
    ]);
    expect(states.apply([mine, sold])).toEqual([]);
    expect(states.counts).toEqual([3, 1, 0, 1, 0, 0]);
    // An extension is a change too.
    expect(states.apply([{ ...mine, expiresMs: 9_000 }])).toHaveLength(1);
    expect(states.firstExpiryMs).toBe(9_000);
    expect(states.mine).toEqual([1]);
    states.apply([{ ...mine, status: 'booked' }]);
    expect([states.known(1), states.firstExpiryMs, states.mine]).toEqual([Look.Bought, null, []]);
  });

  test('show a click at once, without forgetting what is known', () => {
    const states = new SeatStates(1);
    states.setPending(0, true);
    expect([states.look(0), states.known(0)]).toEqual([Look.Pending, Look.Available]);
    states.setPending(0, false);
    expect(states.look(0)).toBe(Look.Available);
  });

  test('know the price that was agreed for a seat of one’s own, until it is somebody else’s', () => {
    const states = new SeatStates(1);
    const mine = { index: 0, status: 'reserved' as const, isMine: true, expiresMs: 7_000 };
    states.apply([{ ...mine, price: 12.5 }]);
    expect(states.price(0)).toBe(12.5);
    expect(states.apply([mine])).toEqual([]);
    expect(states.apply([{ ...mine, price: 14 }])).toHaveLength(1);
    expect(states.price(0)).toBe(14);
    states.apply([{ index: 0, status: 'available', isMine: false, expiresMs: null }]);
    states.apply([mine]);
    expect(states.price(0)).toBeUndefined();
  });

  test('keep the time of expiry that a later message leaves out', () => {
    const states = new SeatStates(1);
    states.apply([{ index: 0, status: 'reserved', isMine: true, expiresMs: 7_000 }]);
    expect(states.apply([{ index: 0, status: 'reserved', isMine: true, expiresMs: null }])).toEqual([]);
    expect(states.expiresMs(0)).toBe(7_000);
  });
});

describe('the server’s clock', () => {
  test('goes by the server, whatever this computer believes', () => {
    let monotonicMs = 1_000;
    const clock = new ServerClock(() => monotonicMs);
    expect(Math.abs(clock.nowMs - Date.now())).toBeLessThan(1_000);
    clock.heard(5_000_000);
    monotonicMs += 250;
    expect(clock.nowMs).toBe(5_000_250);
  });

  test('trusts the answer that took the shortest time, and forgets old ones', () => {
    const clock = new ServerClock(() => 0);
    clock.heard(900);
    clock.heard(1_000);
    clock.heard(Number.NaN);
    clock.heard(400);
    expect(clock.nowMs).toBe(1_000);
    for (let answer = 0; answer < 8; answer++) clock.heard(300);
    expect(clock.nowMs).toBe(300);
  });

  test.each([
    [300_000, '5:00'],
    [59_001, '1:00'],
    [9_000, '0:09'],
    [0, '0:00'],
    [-5, '0:00'],
  ])('%i ms are %s', (ms, text) => expect(minutesAndSeconds(ms)).toBe(text));
});

test('texts keep placeholders that nobody fills', () => {
  expect(filled(ENGLISH.seat, { row: 'A', number: 1 })).toBe('Row A seat 1');
  expect(filled('{a} {b}', { a: 0 })).toBe('0 {b}');
});
