// What is wrong with a plan, by the server's rules (api/catalogue/layout_rules.py), with the seats at fault.

import { type Plan, type Seat, FURTHEST, rowsOf, seatName, SEATS_LIMIT } from './plan';

export const OVERLAP = 0.5;
export const PASSAGE = 0.75;
export const GAP = 1.5;
export const SECTIONS_LIMIT = 50;
export const AISLES_LIMIT = 200;
const LABEL_LENGTH = 4;
const HIGHEST_NUMBER = 9999;

export interface Fault {
  readonly message: string;
  /** The seats and areas that it is about. */
  readonly keys: readonly number[];
}

/** All faults of a plan; an empty list if it can be published. */
export function faultsOf(plan: Plan): Fault[] {
  const { seats } = plan;
  const faults = [
    ...tooMany(plan),
    ...badNames(seats),
    ...twice(seats),
    ...outside(plan),
    ...unnamedSections(plan),
    ...overlapping(seats),
    ...inAisles(plan),
  ];
  return faults.length > 0 ? faults : unreachable(seats);
}

function tooMany({ seats, areas }: Plan): Fault[] {
  const faults: Fault[] = [];
  if (seats.length > SEATS_LIMIT) {
    faults.push({ message: `There are ${seats.length} seats; a room has at most ${SEATS_LIMIT}.`, keys: [] });
  }
  for (const [kind, limit] of [['section', SECTIONS_LIMIT], ['aisle', AISLES_LIMIT]] as const) {
    const keys = areas.filter((area) => area.kind === kind).map(({ key }) => key);
    if (keys.length > limit) faults.push({ message: `There are ${keys.length} ${kind}s; at most ${limit} are possible.`, keys });
  }
  return faults;
}

function badNames(seats: readonly Seat[]): Fault[] {
  return seats.flatMap((seat) => {
    const { key, row, number } = seat;
    if (row.trim() !== row || row.length < 1 || row.length > LABEL_LENGTH) {
      return [{ message: `“${row}” is no name for a row: 1 to ${LABEL_LENGTH} characters are possible.`, keys: [key] }];
    }
    if (!Number.isInteger(number) || number < 1 || number > HIGHEST_NUMBER) {
      return [{ message: `${seatName(seat)}: the number must be from 1 to ${HIGHEST_NUMBER}.`, keys: [key] }];
    }
    return [];
  });
}

function twice(seats: readonly Seat[]): Fault[] {
  const byName = new Map<string, Seat[]>();
  for (const seat of seats) {
    const name = `${seat.row}\n${seat.number}`;
    const same = byName.get(name);
    if (same) same.push(seat);
    else byName.set(name, [seat]);
  }
  return [...byName.values()]
    .filter((same) => same.length > 1)
    .map((same) => ({
      message: `${seatName(same[0]!)} is there ${same.length === 2 ? 'twice' : `${same.length} times`}.`,
      keys: same.map(({ key }) => key),
    }));
}

function outside({ seats, areas }: Plan): Fault[] {
  const isOutside = (value: number) => !(value >= 0 && value <= FURTHEST);
  return [
    ...seats
      .filter(({ x, y }) => isOutside(x) || isOutside(y))
      .map((seat) => ({ message: `${seatName(seat)} is outside the room.`, keys: [seat.key] })),
    ...areas
      .filter(({ x, y, width, height }) => [x, y, width, height].some(isOutside))
      .map(({ key, kind, name }) => ({ message: `The ${kind} ${name} is outside the room.`, keys: [key] })),
  ];
}

function unnamedSections({ areas }: Plan): Fault[] {
  return areas
    .filter(({ kind, name }) => kind === 'section' && (name.trim() === '' || name.length > 40))
    .map(({ key }) => ({ message: 'A section needs a name of at most 40 characters.', keys: [key] }));
}

type Pair = readonly [front: Seat, back: Seat];

const cell = (column: number, row: number) => column * 65_536 + row;

/** The pairs of seats that are nearer than one in both directions. No two may overlap, so they are few. */
function closePairs(seats: readonly Seat[]): Pair[] {
  const cells = new Map<number, Seat[]>();
  for (const seat of seats) {
    const key = cell(Math.floor(seat.x), Math.floor(seat.y));
    const there = cells.get(key);
    if (there) there.push(seat);
    else cells.set(key, [seat]);
  }
  const pairs: Pair[] = [];
  const near = (one: Seat, other: Seat) => Math.abs(one.x - other.x) < 1 && Math.abs(one.y - other.y) < 1;
  for (const here of cells.values()) {
    const column = Math.floor(here[0]!.x);
    const row = Math.floor(here[0]!.y);
    const around = ([[1, 0], [-1, 1], [0, 1], [1, 1]] as const).flatMap(
      ([right, down]) => cells.get(cell(column + right, row + down)) ?? [],
    );
    here.forEach((seat, position) => {
      for (const other of [...here.slice(position + 1), ...around]) {
        if (near(seat, other)) pairs.push(seat.y <= other.y ? [seat, other] : [other, seat]);
      }
    });
  }
  return pairs;
}

/**
 * Every seat that overlaps another one. Two seats in one cell with a side of OVERLAP overlap, so a seat is compared with
 * one seat of each cell around it, however many stand in the same place.
 */
function overlapping(seats: readonly Seat[]): Fault[] {
  const faults: Fault[] = [];
  const cells = new Map<number, Seat>();
  for (const seat of seats) {
    const column = Math.floor(seat.x / OVERLAP);
    const row = Math.floor(seat.y / OVERLAP);
    for (let right = -1; right <= 1; right++) {
      for (let down = -1; down <= 1; down++) {
        const other = cells.get(cell(column + right, row + down));
        if (!other || Math.abs(seat.x - other.x) >= OVERLAP || Math.abs(seat.y - other.y) >= OVERLAP) continue;
        const [front, back] = other.y <= seat.y ? [other, seat] : [seat, other];
        faults.push({
          message: `${seatName(front)} and ${seatName(back).replace('Row', 'row')} overlap.`,
          keys: [front.key, back.key],
        });
      }
    }
    const own = cell(column, row);
    if (!cells.has(own)) cells.set(own, seat);
  }
  return faults;
}

function inAisles({ seats, areas }: Plan): Fault[] {
  return areas
    .filter(({ kind }) => kind === 'aisle')
    .flatMap((aisle) =>
      seats
        .filter(
          ({ x, y }) => x > aisle.x && x < aisle.x + aisle.width && y > aisle.y && y < aisle.y + aisle.height,
        )
        .map((seat) => ({ message: `${seatName(seat)} stands in an aisle.`, keys: [seat.key, aisle.key] })),
    );
}

function unreachable(seats: readonly Seat[]): Fault[] {
  const blocked = new Set<Seat>();
  for (const [front, back] of closePairs(seats)) {
    const isInFront = front.row !== back.row && front.y < back.y;
    if (isInFront && Math.hypot(front.x - back.x, front.y - back.y) < PASSAGE) blocked.add(back);
  }
  if (blocked.size === 0) return [];
  const faults: Fault[] = [];
  for (const row of rowsOf(seats).values()) {
    for (const run of runsOf(row)) {
      const stops = run.flatMap((seat, position) => (blocked.has(seat) ? [position] : []));
      if (stops.length === 0) continue;
      for (const seat of run.slice(stops[0], stops.at(-1)! + 1)) {
        faults.push({ message: `${seatName(seat)} cannot be reached: leave room in front of its row.`, keys: [seat.key] });
      }
    }
  }
  return faults;
}

/** A row, cut at its gaps; it is followed along its longer side. */
function runsOf(row: readonly Seat[]): Seat[][] {
  const extent = (axis: 'x' | 'y') => {
    const values = row.map((seat) => seat[axis]);
    return Math.max(...values) - Math.min(...values);
  };
  const axis = extent('x') >= extent('y') ? 'x' : 'y';
  const runs: Seat[][] = [];
  for (const seat of [...row].sort((one, other) => one[axis] - other[axis])) {
    const before = runs.at(-1)?.at(-1);
    if (before && Math.hypot(seat.x - before.x, seat.y - before.y) < GAP) runs.at(-1)!.push(seat);
    else runs.push([seat]);
  }
  return runs;
}
