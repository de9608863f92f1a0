// Where the room is on the canvas: scale and offset, zooming around a point, and what is under the pointer.

import type { Area, Box, Plan, Seat } from './plan';

export interface View {
  /** Pixels per seat width, and per row. */
  readonly scale: number;
  /** Place of the room's corner on the canvas, in pixels. */
  readonly left: number;
  readonly top: number;
}

export const SMALLEST_SCALE = 2;
export const LARGEST_SCALE = 80;
const USUAL_SCALE = 30;

export function toRoom(view: View, x: number, y: number): { x: number; y: number } {
  return { x: (x - view.left) / view.scale, y: (y - view.top) / view.scale };
}

/** The view zoomed by a factor, with a point of the canvas staying where it is. */
export function zoomed(view: View, factor: number, x: number, y: number): View {
  const scale = Math.min(LARGEST_SCALE, Math.max(SMALLEST_SCALE, view.scale * factor));
  const room = toRoom(view, x, y);
  return { scale, left: x - room.x * scale, top: y - room.y * scale };
}

/** The view that shows a box in the middle of a canvas, not larger than usual. */
export function fitted(box: Box, width: number, height: number): View {
  const fits = Math.min((width - 48) / (box.right - box.left), (height - 48) / (box.bottom - box.top));
  const scale = Math.min(USUAL_SCALE, Math.max(SMALLEST_SCALE, fits));
  return {
    scale,
    left: (width - (box.left + box.right) * scale) / 2,
    top: (height - (box.top + box.bottom) * scale) / 2,
  };
}

const SEAT_REACH = 0.45;

/** The seat at a point of the room, or else the area. */
export function thingAt(plan: Plan, x: number, y: number): Seat | Area | null {
  for (let position = plan.seats.length - 1; position >= 0; position--) {
    const seat = plan.seats[position]!;
    if (Math.abs(seat.x - x) < SEAT_REACH && Math.abs(seat.y - y) < SEAT_REACH) return seat;
  }
  const inside = ({ x: left, y: top, width, height }: Area) =>
    x >= left && x <= left + width && y >= top && y <= top + height;
  return plan.areas.findLast(inside) ?? null;
}

/** The keys of the seats whose centres are in a box, and of the areas that are wholly in it. */
export function keysIn(plan: Plan, { left, top, right, bottom }: Box): number[] {
  const seats = plan.seats.filter(({ x, y }) => x >= left && x <= right && y >= top && y <= bottom);
  const areas = plan.areas.filter(
    ({ x, y, width, height }) => x >= left && y >= top && x + width <= right && y + height <= bottom,
  );
  return [...seats, ...areas].map(({ key }) => key);
}

/** The box between two corners, in any order. */
export function boxOf(x1: number, y1: number, x2: number, y2: number): Box {
  return { left: Math.min(x1, x2), top: Math.min(y1, y2), right: Math.max(x1, x2), bottom: Math.max(y1, y2) };
}
