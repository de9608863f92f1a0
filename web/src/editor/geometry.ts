// Drawing and moving: blocks of rows, curves, copies, snapping.

import { type RowLabels, rowLabels, type SeatNumbers, seatNumbers } from './numbering';
import { type Box, type Focus, FURTHEST, newKey, type Plan, planBounds, rounded, type Screen, type Seat, seatBounds } from './plan';

export interface Block {
  /** Centre of the first row's first seat from the left. */
  x: number;
  y: number;
  rows: number;
  seatsPerRow: number;
  /** From seat to seat, in seat widths. */
  seatSpacing: number;
  /** From row to row. */
  rowSpacing: number;
  /** After how many seats from the left there are aisles, e.g. [10, 30]. */
  aislesAfter: readonly number[];
  /** How many rows further back the ends of a row are than its middle. */
  curve: number;
  type: string;
  labels: RowLabels;
  numbers: SeatNumbers;
}

/** Width of the gap that an aisle adds to the distance between two seats. */
export const AISLE_WIDTH = 1.5;
export const GRID = 0.5;

/** The seats of a block. */
export function blockSeats(block: Block): Seat[] {
  const labels = rowLabels(block.rows, block.labels);
  if (block.labels.fromBack) labels.reverse();
  const numbers = seatNumbers(block.seatsPerRow, block.numbers);
  const places = numbers.map((_, place) => {
    const aisles = block.aislesAfter.filter((after) => after > 0 && after <= place).length;
    return block.x + place * block.seatSpacing + aisles * AISLE_WIDTH;
  });
  const seats = labels.flatMap((row, line) =>
    numbers.map((number, place) => ({
      key: newKey(),
      row,
      number,
      type: block.type,
      x: rounded(places[place]!),
      y: rounded(block.y + line * block.rowSpacing),
    })),
  );
  return block.curve === 0 ? seats : bent(seats, block.curve);
}

/** How many rows and seats fit into a rectangle that was drawn. */
export function blockIn({ left, top, right, bottom }: Box, seatSpacing = 1, rowSpacing = 1): Pick<Block, 'rows' | 'seatsPerRow'> {
  return {
    rows: Math.max(1, Math.floor((bottom - top) / rowSpacing + 0.5) + 1),
    seatsPerRow: Math.max(1, Math.floor((right - left) / seatSpacing + 0.5) + 1),
  };
}

/** The seats with the ends of their rows moved back (or forward, if negative) in an arc. */
export function bent(seats: readonly Seat[], depth: number): Seat[] {
  const box = seatBounds(seats);
  const half = box ? (box.right - box.left) / 2 : 0;
  if (!box || half === 0) return [...seats];
  const middle = (box.left + box.right) / 2;
  const curved = seats.map((seat) => ({ ...seat, y: rounded(seat.y + depth * ((seat.x - middle) / half) ** 2) }));
  const front = Math.min(...curved.map(({ y }) => y));
  return front < 0 ? curved.map((seat) => ({ ...seat, y: rounded(seat.y - front) })) : curved;
}

/** A distance on the grid. */
export function snapped(value: number, grid = GRID): number {
  return rounded(Math.round(value / grid) * grid);
}

interface Placed {
  readonly key: number;
  readonly x: number;
  readonly y: number;
  readonly width?: number;
  readonly height?: number;
}

/** A distance that keeps everything that is moved within the room. */
export function withinRoom(things: readonly Placed[], dx: number, dy: number): [number, number] {
  const left = Math.min(...things.map(({ x }) => x));
  const top = Math.min(...things.map(({ y }) => y));
  const right = Math.max(...things.map(({ x, width = 0 }) => x + width));
  const bottom = Math.max(...things.map(({ y, height = 0 }) => y + height));
  const clamp = (value: number, low: number, high: number) => Math.min(Math.max(value, low), high);
  return [clamp(dx, -left, FURTHEST - right), clamp(dy, -top, FURTHEST - bottom)];
}

/** The plan with some seats and areas moved. */
export function moved(plan: Plan, keys: ReadonlySet<number>, dx: number, dy: number): Plan {
  const things = [...plan.seats, ...plan.areas].filter(({ key }) => keys.has(key));
  if (things.length === 0) return plan;
  const [x, y] = withinRoom(things, dx, dy);
  if (x === 0 && y === 0) return plan;
  const move = <Thing extends Placed>(thing: Thing): Thing =>
    keys.has(thing.key) ? { ...thing, x: rounded(thing.x + x), y: rounded(thing.y + y) } : thing;
  return { ...plan, seats: plan.seats.map(move), areas: plan.areas.map(move) };
}

/** Copies of seats behind the originals, in rows with the next free names. */
export function copied(seats: readonly Seat[], all: readonly Seat[]): Seat[] {
  const box = seatBounds(seats);
  if (!box) return [];
  const depth = box.bottom - box.top + 1;
  const taken = new Set(all.map(({ row }) => row));
  const names = new Map<string, string>();
  const isNumber = seats.every(({ row }) => /^\d+$/.test(row));
  const free = rowLabels(taken.size + new Set(seats.map(({ row }) => row)).size, {
    first: isNumber ? '1' : 'A',
    skipConfusing: false,
    fromBack: false,
  }).filter((label) => !taken.has(label));
  for (const { row } of [...seats].sort((one, other) => one.y - other.y)) {
    if (!names.has(row)) names.set(row, free.shift()!);
  }
  return seats.map((seat) => ({ ...seat, key: newKey(), row: names.get(seat.row)!, y: rounded(seat.y + depth) }));
}

/** The screen in front of all seats, centred. */
export function usualScreen(seats: readonly Seat[]): Screen | null {
  const box = seatBounds(seats);
  if (!box) return null;
  const width = rounded(Math.max(4, (box.right - box.left) * 0.7));
  return { x: rounded(Math.max(0, (box.left + box.right - width) / 2)), y: 0, width };
}

/** The server's default for the best place: in the middle, two thirds of the way from the first row to the last. */
export function usualFocus(seats: readonly Seat[]): Focus {
  const { left, right, top, bottom } = seatBounds(seats) ?? { left: 1, right: 1, top: 1, bottom: 1 };
  return { x: rounded((left + right) / 2), y: rounded(top + ((bottom - top) * 2) / 3), rows: [] };
}

/** Where a new block goes: below everything else. */
export function placeForBlock(plan: Plan): { x: number; y: number } {
  const box = seatBounds(plan.seats);
  return box ? { x: rounded(box.left), y: rounded(Math.ceil(planBounds(plan).bottom - 0.5) + 1) } : { x: 1, y: 2 };
}
