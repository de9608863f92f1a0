// Names of rows and numbers of seats: A, B, … Z, AA or 1, 2, …; from the left or from the right; all, odd or even.

import { rounded, type Seat } from './plan';

export interface RowLabels {
  /** Of the first row, e.g. "A" or "1"; it also says whether rows have letters or numbers. */
  first: string;
  /** Whether to leave out I and O, which look like 1 and 0. */
  skipConfusing: boolean;
  /** Whether the first row is the one at the back. */
  fromBack: boolean;
}

export interface SeatNumbers {
  first: number;
  from: 'left' | 'right';
  which: 'all' | 'odd' | 'even';
}

export const USUAL_LABELS: RowLabels = { first: 'A', skipConfusing: false, fromBack: false };
export const USUAL_NUMBERS: SeatNumbers = { first: 1, from: 'left', which: 'all' };

/** Seats whose distances from the screen differ by less stand in one row. */
const SAME_ROW = 0.4;
const CONFUSING = /[IO]/;

/** The position of a row label: 1 for A or 1, 27 for AA; 0 for a label that is neither letters nor a number. */
export function positionOf(label: string): number {
  if (/^\d+$/.test(label)) return Number(label);
  if (!/^[A-Z]+$/i.test(label)) return 0;
  return [...label.toUpperCase()].reduce((position, letter) => position * 26 + letter.charCodeAt(0) - 64, 0);
}

function lettersOf(position: number): string {
  let label = '';
  for (let left = position; left > 0; left = Math.floor((left - 1) / 26)) {
    label = String.fromCharCode(65 + ((left - 1) % 26)) + label;
  }
  return label;
}

/** Labels for some rows, in the order of their names. */
export function rowLabels(count: number, { first, skipConfusing }: RowLabels): string[] {
  const isNumber = /^\d+$/.test(first);
  let position = positionOf(first) || 1;
  const labels: string[] = [];
  while (labels.length < count) {
    const label = isNumber ? String(position) : lettersOf(position);
    position += 1;
    if (!isNumber && skipConfusing && CONFUSING.test(label)) continue;
    labels.push(label);
  }
  return labels;
}

/** The labels with which further rows go on after those that a drawing has. */
export function labelsAfter(rows: Iterable<string>, labels: RowLabels): RowLabels {
  const isNumber = /^\d+$/.test(labels.first);
  const used = new Set([...rows].filter((row) => /^\d+$/.test(row) === isNumber));
  if (!used.has(labels.first)) return labels;
  const last = Math.max(...[...used].map(positionOf));
  return { ...labels, first: isNumber ? String(last + 1) : rowLabels(1, { ...labels, first: lettersOf(last + 1) })[0]! };
}

/** Numbers for the seats of a row, from left to right. */
export function seatNumbers(count: number, { first, from, which }: SeatNumbers): number[] {
  const step = which === 'all' ? 1 : 2;
  const isOdd = first % 2 === 1;
  const start = (which === 'odd' && !isOdd) || (which === 'even' && isOdd) ? first + 1 : first;
  const numbers = Array.from({ length: count }, (_, position) => start + position * step);
  return from === 'left' ? numbers : numbers.reverse();
}

/** Seats by the rows in which they stand, from the screen to the back, whatever they are called now. */
export function standingRows(seats: readonly Seat[]): Seat[][] {
  // Rows that were curved together stay together, because they have a name in common.
  const byLabel = new Map<string, Seat[]>();
  for (const seat of seats) byLabel.set(seat.row, [...(byLabel.get(seat.row) ?? []), seat]);
  const rows = [...byLabel.values()].map((row) => ({ row, y: rounded(Math.min(...row.map(({ y }) => y))) }));
  rows.sort((one, other) => one.y - other.y);
  const joined: { row: Seat[]; y: number }[] = [];
  for (const { row, y } of rows) {
    const before = joined.at(-1);
    if (before && y - before.y < SAME_ROW) before.row.push(...row);
    else joined.push({ row: [...row], y });
  }
  return joined.map(({ row }) => row.sort((one, other) => one.x - other.x));
}

/** The seats with new names. */
export function renamed(seats: readonly Seat[], labels: RowLabels, numbers: SeatNumbers): Seat[] {
  const rows = standingRows(seats);
  const names = rowLabels(rows.length, labels);
  if (labels.fromBack) names.reverse();
  return rows.flatMap((row, position) => {
    const numbered = seatNumbers(row.length, numbers);
    return row.map((seat, place) => ({ ...seat, row: names[position]!, number: numbered[place]! }));
  });
}
