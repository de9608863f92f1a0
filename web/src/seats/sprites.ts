// Pictures of seats as raw pixels, one per state, kind and size. A shape goes with every colour, so that colour alone
// says nothing: a square with its number is free, a circle with a check mark is one's own, a hollow square is somebody
// else's, a cross is sold.

import { Look } from './states.js';

export interface Palette {
  available: string;
  mine: string;
  reserved: string;
  booked: string;
  /** Marks and numbers on the colours above. */
  mark: string;
  background: string;
  floor: string;
  text: string;
  muted: string;
}

export type Kind = 'plain' | 'wheelchair' | 'special';

export interface Sprite {
  /** Side in device pixels. */
  size: number;
  pixels: Uint32Array;
}

/** Below this many device pixels nobody recognises a shape; the size of the mark differs instead. */
const SMALLEST_SHAPE = 7;
const SMALLEST_NUMBER = 20;

export function kindOf(seatType: string): Kind {
  if (seatType === 'standard') return 'plain';
  return seatType === 'wheelchair' ? 'wheelchair' : 'special';
}

/** Makes sprites of one size and palette, and keeps them. */
export class Sprites {
  readonly size: number;
  #palette: Palette;
  #made = new Map<string, Sprite>();
  #context: CanvasRenderingContext2D;

  constructor(size: number, palette: Palette) {
    this.size = size;
    this.#palette = palette;
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = size;
    this.#context = canvas.getContext('2d', { willReadFrequently: true })!;
  }

  of(look: Look, kind: Kind, number: number, faded: boolean): Sprite {
    const numbered = this.size >= SMALLEST_NUMBER && kind === 'plain' && look === Look.Available;
    const key = `${look} ${kind} ${numbered ? number : ''} ${faded}`;
    let sprite = this.#made.get(key);
    if (sprite === undefined) {
      this.#context.clearRect(0, 0, this.size, this.size);
      this.#context.globalAlpha = faded ? 0.22 : 1;
      drawSeat(this.#context, this.size, this.#palette, look, kind, numbered ? String(number) : '');
      const { data } = this.#context.getImageData(0, 0, this.size, this.size);
      sprite = { size: this.size, pixels: new Uint32Array(data.buffer) };
      this.#made.set(key, sprite);
    }
    return sprite;
  }
}

/** Draw a seat at the origin. */
export function drawSeat(
  context: CanvasRenderingContext2D,
  size: number,
  palette: Palette,
  look: Look,
  kind: Kind,
  number: string,
): void {
  const colour = colourOf(look, palette);
  context.save();
  context.fillStyle = context.strokeStyle = colour;
  context.lineCap = context.lineJoin = 'round';
  if (size < SMALLEST_SHAPE) drawDot(context, size, look);
  else drawShape(context, size, look, kind, palette.mark, number);
  context.restore();
}

export function colourOf(look: Look, palette: Palette): string {
  switch (look) {
    case Look.Available:
      return palette.available;
    case Look.Mine:
    case Look.Pending:
      return palette.mine;
    case Look.Reserved:
      return palette.reserved;
    default:
      return palette.booked;
  }
}

function drawDot(context: CanvasRenderingContext2D, size: number, look: Look): void {
  const inset = look === Look.Reserved || look === Look.Booked ? Math.floor(size / 4) : 0;
  const side = Math.max(1, size - inset * 2);
  context.fillRect(inset, inset, side, side);
}

function drawShape(
  context: CanvasRenderingContext2D,
  size: number,
  look: Look,
  kind: Kind,
  mark: string,
  number: string,
): void {
  const line = Math.max(1, size / 10);
  const middle = size / 2;
  const square = (inset: number): void => {
    context.beginPath();
    context.roundRect(inset, inset, size - inset * 2, size - inset * 2, [size / 3.4, size / 3.4, size / 8, size / 8]);
  };
  const onTop = (): void => {
    context.strokeStyle = context.fillStyle = mark;
    context.lineWidth = line * 1.2;
  };
  context.lineWidth = line;
  switch (look) {
    case Look.Available:
      square(0);
      context.fill();
      onTop();
      drawKind(context, size, kind, number);
      break;
    case Look.Mine:
    case Look.Bought:
      context.beginPath();
      context.arc(middle, middle, middle, 0, Math.PI * 2);
      context.fill();
      onTop();
      context.beginPath();
      context.moveTo(size * 0.28, size * 0.53);
      context.lineTo(size * 0.44, size * 0.69);
      context.lineTo(size * 0.73, size * 0.34);
      context.stroke();
      break;
    case Look.Pending:
      context.beginPath();
      context.arc(middle, middle, middle - line, 0, Math.PI * 2);
      context.setLineDash([size / 5, size / 6]);
      context.stroke();
      break;
    case Look.Reserved:
      square(line / 2 + size * 0.06);
      context.stroke();
      context.globalAlpha *= 0.3;
      context.fill();
      break;
    case Look.Booked:
      square(size * 0.06);
      context.globalAlpha *= 0.22;
      context.fill();
      context.globalAlpha /= 0.22;
      context.lineWidth = line * 1.3;
      context.beginPath();
      context.moveTo(size * 0.27, size * 0.27);
      context.lineTo(size * 0.73, size * 0.73);
      context.moveTo(size * 0.73, size * 0.27);
      context.lineTo(size * 0.27, size * 0.73);
      context.stroke();
      break;
  }
}

/** What kind of seat a free one is: its number, a wheelchair, or a star for every other type. */
function drawKind(context: CanvasRenderingContext2D, size: number, kind: Kind, number: string): void {
  if (kind === 'wheelchair') {
    context.lineWidth = Math.max(1, size / 12);
    context.beginPath();
    context.arc(size * 0.46, size * 0.24, size * 0.07, 0, Math.PI * 2);
    context.fill();
    context.beginPath();
    context.moveTo(size * 0.46, size * 0.36);
    context.lineTo(size * 0.46, size * 0.56);
    context.lineTo(size * 0.64, size * 0.56);
    context.lineTo(size * 0.72, size * 0.74);
    context.stroke();
    context.beginPath();
    context.arc(size * 0.45, size * 0.64, size * 0.18, Math.PI * 0.25, Math.PI * 1.35);
    context.stroke();
  } else if (kind === 'special') {
    context.beginPath();
    for (let point = 0; point < 10; point++) {
      const angle = (point * Math.PI) / 5 - Math.PI / 2;
      const radius = size * (point % 2 === 0 ? 0.3 : 0.13);
      context.lineTo(size / 2 + radius * Math.cos(angle), size * 0.52 + radius * Math.sin(angle));
    }
    context.closePath();
    context.fill();
  } else if (number !== '') {
    context.font = `600 ${Math.round(size * (number.length > 2 ? 0.36 : 0.46))}px system-ui, sans-serif`;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    context.fillText(number, size / 2, size * 0.54);
  }
}
