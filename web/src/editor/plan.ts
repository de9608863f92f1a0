// The room as the editor has it: plain data that is never changed in place, so that every step can be undone.

import type { components } from '../api/schema';

export type LayoutDocument = components['schemas']['Layout'];

/** Most seats of a room, as the server has it. */
export const SEATS_LIMIT = 10_000;
/** Largest coordinate. */
export const FURTHEST = 10_000;

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

/** A seat; its centre is in seat widths from the left wall and in rows from the screen. */
export interface Seat {
  readonly key: number;
  readonly row: string;
  readonly number: number;
  readonly type: string;
  readonly x: number;
  readonly y: number;
}

/** A named section or an aisle: a rectangle by its corner at the left and towards the screen. */
export interface Area {
  readonly key: number;
  readonly kind: 'section' | 'aisle';
  readonly name: string;
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

export interface Screen {
  readonly x: number;
  readonly y: number;
  readonly width: number;
}

/** Which seats are the best: those in the preferred rows, then those nearest to the point. */
export interface Focus {
  readonly x: number;
  readonly y: number;
  readonly rows: readonly string[];
}

export interface Plan {
  readonly seats: readonly Seat[];
  readonly areas: readonly Area[];
  readonly screen: Screen | null;
  readonly focus: Focus | null;
}

export const EMPTY: Plan = { seats: [], areas: [], screen: null, focus: null };

let lastKey = 0;

/** A key that no seat or area has. */
export function newKey(): number {
  return ++lastKey;
}

export function seatName({ row, number }: Pick<Seat, 'row' | 'number'>): string {
  return `Row ${row}, seat ${number}`;
}

/** Rounded to hundredths, as the server stores it. */
export function rounded(value: number): number {
  return Math.round(value * 100) / 100;
}

export function planOf(layout: LayoutDocument): Plan {
  const areas = [
    ...(layout.sections ?? []).map((area) => ({ ...area, kind: 'section' as const })),
    ...(layout.aisles ?? []).map((area) => ({ ...area, kind: 'aisle' as const, name: '' })),
  ];
  return {
    seats: layout.seats.map((seat) => ({
      key: newKey(),
      row: seat.row_label,
      number: seat.seat_number,
      type: seat.seat_type ?? 'standard',
      x: seat.x ?? seat.seat_number,
      y: seat.y ?? 0,
    })),
    areas: areas.map((area) => ({ ...area, key: newKey() })),
    screen: layout.screen ?? null,
    focus: layout.focus ? { ...layout.focus, rows: layout.focus.rows ?? [] } : null,
  };
}

/** The document for the server, or for a file. */
export function layoutOf(plan: Plan, version: number): LayoutDocument {
  const box = ({ x, y, width, height }: Area) => ({
    x: rounded(x),
    y: rounded(y),
    width: rounded(width),
    height: rounded(height),
  });
  const { screen, focus } = plan;
  return {
    version,
    screen: screen && { x: rounded(screen.x), y: rounded(screen.y), width: rounded(screen.width) },
    sections: plan.areas.filter(({ kind }) => kind === 'section').map((area) => ({ name: area.name, ...box(area) })),
    aisles: plan.areas.filter(({ kind }) => kind === 'aisle').map(box),
    focus: focus && { x: rounded(focus.x), y: rounded(focus.y), rows: [...focus.rows] },
    seats: plan.seats.map(({ row, number, type, x, y }) => ({
      row_label: row,
      seat_number: number,
      seat_type: type,
      x: rounded(x),
      y: rounded(y),
    })),
  };
}

/** Around the centres of seats; null without any. */
export function seatBounds(seats: readonly Seat[]): Box | null {
  if (seats.length === 0) return null;
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const { x, y } of seats) {
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return box;
}

/** Around everything in a plan, with half a seat on each side. */
export function planBounds(plan: Plan): Box {
  const box = seatBounds(plan.seats) ?? { left: 1, top: 1, right: 20, bottom: 12 };
  const areas = plan.areas.map(({ x, y, width, height }) => ({ x, y, right: x + width, bottom: y + height }));
  const screen = plan.screen ? [{ ...plan.screen, right: plan.screen.x + plan.screen.width, bottom: plan.screen.y }] : [];
  for (const { x, y, right, bottom } of [...areas, ...screen]) {
    box.left = Math.min(box.left, x);
    box.top = Math.min(box.top, y);
    box.right = Math.max(box.right, right);
    box.bottom = Math.max(box.bottom, bottom);
  }
  return { left: box.left - 0.5, top: box.top - 0.5, right: box.right + 0.5, bottom: box.bottom + 0.5 };
}

/** The seats by row label, each row from left to right, the rows from the screen to the back. */
export function rowsOf(seats: readonly Seat[]): Map<string, Seat[]> {
  const rows = new Map<string, Seat[]>();
  for (const seat of [...seats].sort((one, other) => one.y - other.y || one.x - other.x)) {
    const row = rows.get(seat.row);
    if (row) row.push(seat);
    else rows.set(seat.row, [seat]);
  }
  for (const row of rows.values()) row.sort((one, other) => one.x - other.x);
  return rows;
}
