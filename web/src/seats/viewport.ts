// Which part of the hall is visible: a scale and an offset. All positions on the screen are CSS pixels.

import { type Box, clamp } from './plan.js';

/** Room around the seats for the row labels, and in front of them for the screen, in seat widths. */
const MARGIN = { side: 1.8, front: 2.9, back: 1.1 };
/** In large halls the screen needs more, because its label does not shrink with the seats. */
const SHARE_IN_FRONT = 0.08;
const LARGEST_SEAT_PX = 56;
/** A hall of few seats does not fill the view with giant seats. */
const LARGEST_FIT_PX = 40;

export class Viewport {
  #hall: Box = { left: 0, top: 0, right: 1, bottom: 1 };
  width = 1;
  height = 1;
  /** Pixels per seat width. */
  scale = 1;
  /** Position of the hall's origin. */
  x = 0;
  y = 0;

  /** Show another hall, all of it. */
  show(hall: Box): void {
    this.#hall = {
      left: hall.left - MARGIN.side,
      right: hall.right + MARGIN.side,
      top: hall.top - Math.max(MARGIN.front, (hall.bottom - hall.top) * SHARE_IN_FRONT),
      bottom: hall.bottom + MARGIN.back,
    };
    this.fit();
  }

  /** The view has another size; what was in its middle stays there. */
  resize(width: number, height: number): void {
    const fitted = this.isFitted;
    const middle = this.toHall(this.width / 2, this.height / 2);
    this.width = Math.max(1, width);
    this.height = Math.max(1, height);
    if (fitted) this.fit();
    else this.centre(middle.x, middle.y);
  }

  get hall(): Box {
    return this.#hall;
  }

  get fittingScale(): number {
    const { left, right, top, bottom } = this.#hall;
    return Math.min(LARGEST_FIT_PX, this.width / (right - left), this.height / (bottom - top));
  }

  get largestScale(): number {
    return Math.max(LARGEST_SEAT_PX, this.fittingScale);
  }

  get isFitted(): boolean {
    return this.scale <= this.fittingScale * 1.001;
  }

  fit(): void {
    this.scale = this.fittingScale;
    this.#clamp();
  }

  /** Zoom so that a point of the view stays where it is. */
  zoom(factor: number, x = this.width / 2, y = this.height / 2): void {
    const point = this.toHall(x, y);
    this.scale = clamp(this.scale * factor, this.fittingScale, this.largestScale);
    this.x = x - point.x * this.scale;
    this.y = y - point.y * this.scale;
    this.#clamp();
  }

  pan(dx: number, dy: number): void {
    this.x += dx;
    this.y += dy;
    this.#clamp();
  }

  /** Move a point of the hall into the middle, as far as the hall's edges allow. */
  centre(x: number, y: number): void {
    this.x = this.width / 2 - x * this.scale;
    this.y = this.height / 2 - y * this.scale;
    this.scale = clamp(this.scale, this.fittingScale, this.largestScale);
    this.#clamp();
  }

  /** Pan just far enough that a seat is visible with some room around it. Returns whether it moved. */
  reveal(x: number, y: number): boolean {
    const before = [this.x, this.y];
    const room = Math.min(1.5 * this.scale, this.width / 3, this.height / 3);
    const [sx, sy] = [x * this.scale + this.x, y * this.scale + this.y];
    this.pan(
      sx < room ? room - sx : Math.min(0, this.width - room - sx),
      sy < room ? room - sy : Math.min(0, this.height - room - sy),
    );
    return before[0] !== this.x || before[1] !== this.y;
  }

  toHall(x: number, y: number): { x: number; y: number } {
    return { x: (x - this.x) / this.scale, y: (y - this.y) / this.scale };
  }

  /** The visible part of the hall, a seat larger on every side. */
  get visible(): Box {
    const start = this.toHall(0, 0);
    const end = this.toHall(this.width, this.height);
    return { left: start.x - 1, top: start.y - 1, right: end.x + 1, bottom: end.y + 1 };
  }

  /** Keep the hall in the view: a smaller one in the middle, a larger one without empty edges. */
  #clamp(): void {
    const { left, right, top, bottom } = this.#hall;
    this.x = this.#within(this.x, left, right, this.width);
    this.y = this.#within(this.y, top, bottom, this.height);
  }

  #within(offset: number, start: number, end: number, size: number): number {
    const length = (end - start) * this.scale;
    if (length <= size) return (size - length) / 2 - start * this.scale;
    return clamp(offset, size - end * this.scale, -start * this.scale);
  }
}
