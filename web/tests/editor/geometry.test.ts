import { expect, test } from 'vitest';
import { bent, type Block, blockIn, blockSeats, copied, moved, placeForBlock, snapped, usualFocus, usualScreen } from '../../src/editor/geometry';
import { USUAL_LABELS, USUAL_NUMBERS } from '../../src/editor/numbering';
import { EMPTY, planBounds } from '../../src/editor/plan';
import { faultsOf } from '../../src/editor/rules';
import { fitted, keysIn, thingAt, toRoom, zoomed } from '../../src/editor/view';

const block = (part: Partial<Block> = {}): Block => ({
  x: 1,
  y: 2,
  rows: 2,
  seatsPerRow: 4,
  seatSpacing: 1,
  rowSpacing: 1,
  aislesAfter: [],
  curve: 0,
  type: 'standard',
  labels: USUAL_LABELS,
  numbers: USUAL_NUMBERS,
  ...part,
});

test('a block has rows, seats and aisles', () => {
  const seats = blockSeats(block({ aislesAfter: [2, 0, 9], type: 'vip' }));
  expect(seats.map(({ row, number, x, y }) => `${row}${number} ${x} ${y}`)).toEqual([
    'A1 1 2', 'A2 2 2', 'A3 4.5 2', 'A4 5.5 2', 'B1 1 3', 'B2 2 3', 'B3 4.5 3', 'B4 5.5 3',
  ]);
  expect(new Set(seats.map(({ key }) => key)).size).toBe(8);
  expect(seats.every(({ type }) => type === 'vip')).toBe(true);
});

test('a rectangle says how many rows and seats fit', () => {
  expect(blockIn({ left: 1, top: 1, right: 10, bottom: 5 })).toEqual({ rows: 5, seatsPerRow: 10 });
  expect(blockIn({ left: 1, top: 1, right: 1, bottom: 1 })).toEqual({ rows: 1, seatsPerRow: 1 });
});

test('the best place is in the middle towards the back', () => {
  expect(usualFocus(blockSeats(block({ rows: 7, seatsPerRow: 10 })))).toEqual({ x: 5.5, y: 6, rows: [] });
  expect(usualFocus([])).toEqual({ x: 1, y: 1, rows: [] });
});

test('a curve moves the ends back and nothing out of the room', () => {
  const flat = blockSeats(block({ rows: 1, seatsPerRow: 5 }));
  expect(bent(flat, 2).map(({ y }) => y)).toEqual([4, 2.5, 2, 2.5, 4]);
  expect(Math.min(...bent(flat, -5).map(({ y }) => y))).toBe(0);
  expect(bent(flat.slice(0, 1), 3)).toEqual(flat.slice(0, 1));
  const hall = blockSeats(block({ rows: 40, seatsPerRow: 50, curve: 4 }));
  expect(faultsOf({ ...EMPTY, seats: hall })).toEqual([]);
});

test('what is moved stays in the room', () => {
  const seats = blockSeats(block());
  const plan = { ...EMPTY, seats, areas: [{ key: -1, kind: 'aisle' as const, name: '', x: 0.5, y: 1, width: 1, height: 1 }] };
  const all = new Set([...seats.map(({ key }) => key), -1]);
  const left = moved(plan, all, -3, 0.25);
  expect([left.seats[0]!.x, left.areas[0]!.x, left.areas[0]!.y]).toEqual([0.5, 0, 1.25]);
  const one = moved(plan, new Set([seats[0]!.key]), 0, 1);
  expect(one.seats.map(({ y }) => y)).toEqual([3, 2, 2, 2, 3, 3, 3, 3]);
  expect(moved(plan, new Set(), 1, 1)).toBe(plan);
});

test('copies get the next free names', () => {
  const seats = blockSeats(block());
  const copies = copied(seats, seats);
  expect([...new Set(copies.map(({ row }) => row))]).toEqual(['C', 'D']);
  expect(faultsOf({ ...EMPTY, seats: [...seats, ...copies] })).toEqual([]);
  expect(copied([], seats)).toEqual([]);
});

test('the next block goes behind everything else', () => {
  const seats = blockSeats(block());
  const next = blockSeats({ ...block({ labels: { ...USUAL_LABELS, first: 'C' } }), ...placeForBlock({ ...EMPTY, seats }) });
  expect(faultsOf({ ...EMPTY, seats: [...seats, ...next] })).toEqual([]);
  expect(placeForBlock(EMPTY)).toEqual({ x: 1, y: 2 });
});

test('the screen is in front, in the middle', () => {
  expect(usualScreen(blockSeats(block({ seatsPerRow: 11 })))).toEqual({ x: 2.5, y: 0, width: 7 });
  expect(usualScreen([])).toBeNull();
});

test('distances snap to the grid', () => {
  expect([snapped(0.74), snapped(0.76), snapped(-0.3), snapped(1.27, 0.1)]).toEqual([0.5, 1, -0.5, 1.3]);
});

test('the view zooms around a point, fits a box, and finds what is under the pointer', () => {
  const view = { scale: 10, left: 0, top: 0 };
  const nearer = zoomed(view, 2, 50, 30);
  expect(toRoom(nearer, 50, 30)).toEqual(toRoom(view, 50, 30));
  expect(zoomed(view, 1e9, 0, 0).scale).toBe(80);
  const seats = blockSeats(block());
  const box = planBounds({ ...EMPTY, seats });
  const shown = fitted(box, 800, 600);
  expect(toRoom(shown, 400, 300)).toEqual({ x: (box.left + box.right) / 2, y: (box.top + box.bottom) / 2 });
  const plan = { ...EMPTY, seats };
  expect(thingAt(plan, 2.3, 2.2)).toBe(seats[1]);
  expect(thingAt(plan, 2.5, 2.5)).toBeNull();
  expect(keysIn(plan, { left: 0, top: 0, right: 2, bottom: 9 })).toHaveLength(4);
});
