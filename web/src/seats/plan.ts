// The seats of a hall as geometry: where they stand, which one is at a point, which one is next to another. It never
// changes while a hall is shown, so every search structure is built once.

export interface PlanSeat {
  id: number;
  row: string;
  number: number;
  type: string;
  /** Centre, in seat widths from the left wall. */
  x: number;
  /** Centre, in rows from the screen. */
  y: number;
}

export interface Row {
  label: string;
  /** Indices of its seats from left to right. */
  seats: number[];
  /** Of the first seat; rows of two blocks may share a label. */
  y: number;
}

export interface Box {
  left: number;
  top: number;
  right: number;
  bottom: number;
}

export type Direction = 'left' | 'right' | 'up' | 'down';

/** Half the width of a seat with the gap around it. */
const REACH = 0.5;
const SEATS_PER_CELL = 8;
/** Neighbours of a bench are at most this far apart; more is an aisle. */
const AISLE = 1.35;

export class Plan {
  readonly seats: readonly PlanSeat[];
  readonly indexOf = new Map<number, number>();
  /** From the screen to the back. */
  readonly rows: Row[] = [];
  /** Indices of neighbouring seats in the same row without an aisle between them. */
  readonly benches: number[][] = [];
  /** Index of each seat's row. */
  readonly rowOf: Uint32Array;
  readonly bounds: Box;
  #cells: Cells;

  /** @param seats in the order in which the server lists them */
  constructor(seats: readonly PlanSeat[]) {
    this.seats = placesAreDistinct(seats) ? seats : rebuilt(seats);
    this.rowOf = new Uint32Array(seats.length);
    this.seats.forEach((seat, index) => this.indexOf.set(seat.id, index));
    this.#addRows();
    this.bounds = boundsOf(this.seats);
    this.#cells = new Cells(this.seats, this.bounds);
  }

  get size(): number {
    return this.seats.length;
  }

  /** Index of the seat at a point, -1 for none. */
  at(x: number, y: number): number {
    let nearest = -1;
    let best = Infinity;
    this.within({ left: x - REACH, right: x + REACH, top: y - REACH, bottom: y + REACH }, (index) => {
      const seat = this.seats[index]!;
      const distance = Math.hypot(seat.x - x, seat.y - y);
      if (distance < best) [nearest, best] = [index, distance];
    });
    return nearest;
  }

  /** Calls back with every seat whose centre is in a box. */
  within(box: Box, found: (index: number) => void): void {
    this.#cells.within(box, (index) => {
      const { x, y } = this.seats[index]!;
      if (x >= box.left && x <= box.right && y >= box.top && y <= box.bottom) found(index);
    });
  }

  /** Index of the next seat in a direction as the hall is drawn, -1 for none. */
  neighbour(index: number, direction: Direction): number {
    const from = this.seats[index]!;
    const horizontal = direction === 'left' || direction === 'right';
    const sign = direction === 'left' || direction === 'up' ? -1 : 1;
    let nearest = -1;
    let best = Infinity;
    this.seats.forEach(({ x, y, row }, other) => {
      const along = sign * (horizontal ? x - from.x : y - from.y);
      const aside = Math.abs(horizontal ? y - from.y : x - from.x);
      if (along <= (horizontal ? 0.01 : 0.3)) return;
      // Sideways, only seats of the same row or at about the same distance from the screen count.
      if (horizontal && row !== from.row && aside > 0.45) return;
      const cost = horizontal ? along + aside * 0.2 : along * along + 4 * aside * aside;
      if (cost < best) [nearest, best] = [other, cost];
    });
    return nearest;
  }

  /** Index of the first or last seat of a seat's row. */
  endOfRow(index: number, end: 'first' | 'last'): number {
    const { seats } = this.rows[this.rowOf[index]!]!;
    return (end === 'first' ? seats[0] : seats.at(-1)) ?? index;
  }

  /** Find a seat by what people type: "a12", "A 12", "Row A seat 12". Returns its index, -1 for none. */
  find(words: string): number {
    const [, row, number] = /^\s*(?:row\s+)?(.*?)[\s,-]*(?:seat\s*)?(\d+)\s*$/i.exec(words) ?? [];
    if (row === undefined || number === undefined) return -1;
    const wanted = row.trim().toLowerCase();
    return this.seats.findIndex((seat) => seat.number === Number(number) && seat.row.toLowerCase() === wanted);
  }

  #addRows(): void {
    const byLabel = new Map<string, number[]>();
    this.seats.forEach(({ row }, index) => {
      const row_seats = byLabel.get(row);
      if (row_seats) row_seats.push(index);
      else byLabel.set(row, [index]);
    });
    for (const [label, seats] of byLabel) {
      seats.sort((one, other) => this.seats[one]!.x - this.seats[other]!.x);
      this.rows.push({ label, seats, y: this.seats[seats[0]!]!.y });
    }
    this.rows.sort((one, other) => one.y - other.y);
    this.rows.forEach(({ seats }, number) => {
      let bench: number[] = [];
      seats.forEach((index, position) => {
        this.rowOf[index] = number;
        const before = this.seats[seats[position - 1] ?? index]!;
        const { x, y } = this.seats[index]!;
        if (position > 0 && Math.hypot(x - before.x, y - before.y) > AISLE) {
          this.benches.push(bench);
          bench = [];
        }
        bench.push(index);
      });
      this.benches.push(bench);
    });
  }
}

/** Seats by square cells of the hall. */
class Cells {
  #bounds: Box;
  #size: number;
  #columns: number;
  #rows: number;
  #cells: (number[] | undefined)[];

  constructor(seats: readonly PlanSeat[], bounds: Box) {
    const width = bounds.right - bounds.left + 1;
    const height = bounds.bottom - bounds.top + 1;
    this.#bounds = bounds;
    this.#size = Math.max(1, Math.sqrt((width * height * SEATS_PER_CELL) / Math.max(1, seats.length)));
    this.#columns = Math.ceil(width / this.#size);
    this.#rows = Math.ceil(height / this.#size);
    this.#cells = new Array(this.#columns * this.#rows);
    seats.forEach(({ x, y }, index) => {
      const cell = this.#row(y) * this.#columns + this.#column(x);
      (this.#cells[cell] ??= []).push(index);
    });
  }

  within({ left, right, top, bottom }: Box, found: (index: number) => void): void {
    for (let row = this.#row(top); row <= this.#row(bottom); row++) {
      for (let column = this.#column(left); column <= this.#column(right); column++) {
        this.#cells[row * this.#columns + column]?.forEach(found);
      }
    }
  }

  #column(x: number): number {
    return clamp(Math.floor((x - this.#bounds.left) / this.#size), 0, this.#columns - 1);
  }

  #row(y: number): number {
    return clamp(Math.floor((y - this.#bounds.top) / this.#size), 0, this.#rows - 1);
  }
}

export function clamp(value: number, lowest: number, highest: number): number {
  return Math.min(highest, Math.max(lowest, value));
}

function boundsOf(seats: readonly PlanSeat[]): Box {
  const box = { left: Infinity, top: Infinity, right: -Infinity, bottom: -Infinity };
  for (const { x, y } of seats) {
    box.left = Math.min(box.left, x);
    box.right = Math.max(box.right, x);
    box.top = Math.min(box.top, y);
    box.bottom = Math.max(box.bottom, y);
  }
  return seats.length > 0 ? box : { left: 0, top: 0, right: 1, bottom: 1 };
}

function placesAreDistinct(seats: readonly PlanSeat[]): boolean {
  return new Set(seats.map(({ x, y }) => `${x} ${y}`)).size === seats.length;
}

/** Some rooms have no coordinates: draw every row from left to right, one behind the other, in the server's order. */
function rebuilt(seats: readonly PlanSeat[]): PlanSeat[] {
  const rows = [...new Set(seats.map(({ row }) => row))];
  const lines = new Map(rows.map((row, line) => [row, line + 1]));
  return seats.map((seat) => ({ ...seat, x: seat.number, y: lines.get(seat.row)! }));
}
