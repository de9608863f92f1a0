// Draws the hall on two canvases: behind, the floor with benches, row labels and the screen; in front, the seats.
//
// Seats are copied pixel by pixel into the front canvas. In software rendering that takes milliseconds for 50,000
// seats, whereas 50,000 calls of `drawImage` take most of a second (docs/component.md has the figures); and a seat that
// changes costs its own pixels only. It needs no WebGL.

import type { Around } from './hall.js';
import type { Box, Plan } from './plan.js';
import { type Kind, kindOf, type Palette, type Sprite, Sprites } from './sprites.js';
import type { Look } from './states.js';
import type { Viewport } from './viewport.js';

/** Share of a seat's space that it fills. */
const FILLED = 0.84;
const SMALLEST_BENCH_PX = 7;
const SMALLEST_LABEL_PX = 9;
/** More device pixels than this per canvas are not worth their memory. */
const LARGEST_CANVAS_PIXELS = 8_000_000;

export interface Scene {
  plan: Plan;
  around: Around;
  view: Viewport;
  /** What a seat looks like. */
  look(index: number): Look;
  /** Whether a filter hides it. */
  faded(index: number): boolean;
}

export class Painter {
  readonly #floor: CanvasRenderingContext2D;
  readonly #seats: CanvasRenderingContext2D;
  #scene: Scene | null = null;
  #palette: Palette;
  #kinds: Kind[] = [];
  #sprites: Sprites;
  #image: ImageData | null = null;
  #pixels = new Uint32Array();
  /** Device pixels per CSS pixel. */
  #density = 1;
  #screenLabel = '';
  /** Whether everything must be drawn again. */
  #all = true;
  #changed = new Set<number>();

  constructor(floor: HTMLCanvasElement, seats: HTMLCanvasElement, palette: Palette) {
    this.#floor = floor.getContext('2d')!;
    // Kept in memory of the processor, because all drawing on it copies pixels from there.
    this.#seats = seats.getContext('2d', { willReadFrequently: true })!;
    this.#palette = palette;
    this.#sprites = new Sprites(1, palette);
  }

  show(scene: Scene, screenLabel: string): void {
    this.#scene = scene;
    this.#screenLabel = screenLabel;
    this.#kinds = scene.plan.seats.map(({ type }) => kindOf(type));
    this.#all = true;
  }

  set screenLabel(label: string) {
    this.#screenLabel = label;
    this.#all = true;
  }

  set palette(palette: Palette) {
    this.#palette = palette;
    this.#sprites = new Sprites(this.#sprites.size, palette);
    this.#all = true;
  }

  get palette(): Palette {
    return this.#palette;
  }

  resize(width: number, height: number, density: number): void {
    const most = Math.sqrt(LARGEST_CANVAS_PIXELS / Math.max(1, width * height));
    this.#density = Math.min(density, most);
    for (const { canvas } of [this.#floor, this.#seats]) {
      canvas.width = Math.max(1, Math.round(width * this.#density));
      canvas.height = Math.max(1, Math.round(height * this.#density));
    }
    this.#image = null;
    this.#all = true;
  }

  /** The view has moved, or a filter has changed. */
  invalidate(): void {
    this.#all = true;
  }

  seatChanged(index: number): void {
    if (!this.#all) this.#changed.add(index);
  }

  /** Draw what has changed since the last call. */
  draw(): void {
    if (this.#scene === null) return;
    if (this.#all) this.#drawAll(this.#scene);
    else if (this.#changed.size > 0) this.#drawChanged(this.#scene);
    this.#all = false;
    this.#changed.clear();
  }

  #drawAll(scene: Scene): void {
    const { width, height } = this.#seats.canvas;
    const size = Math.max(1, Math.round(scene.view.scale * this.#density * FILLED));
    if (size !== this.#sprites.size) this.#sprites = new Sprites(size, this.#palette);
    if (this.#image === null) {
      this.#image = new ImageData(width, height);
      this.#pixels = new Uint32Array(this.#image.data.buffer);
    } else {
      this.#pixels.fill(0);
    }
    this.#drawFloor(scene);
    scene.plan.within(scene.view.visible, (index) => this.#copy(scene, index));
    this.#seats.putImageData(this.#image, 0, 0);
  }

  #drawChanged(scene: Scene): void {
    const { width, height } = this.#seats.canvas;
    const { size } = this.#sprites;
    for (const index of this.#changed) {
      const [x, y] = this.#corner(scene, index);
      const [left, top] = [Math.max(0, x), Math.max(0, y)];
      const [right, bottom] = [Math.min(width, x + size), Math.min(height, y + size)];
      if (left >= right || top >= bottom) continue;
      this.#copy(scene, index);
      this.#seats.putImageData(this.#image!, 0, 0, left, top, right - left, bottom - top);
    }
  }

  #corner({ plan, view }: Scene, index: number): [number, number] {
    const { x, y } = plan.seats[index]!;
    const half = this.#sprites.size / 2;
    return [
      Math.round((x * view.scale + view.x) * this.#density - half),
      Math.round((y * view.scale + view.y) * this.#density - half),
    ];
  }

  /** Copy the picture of a seat into the image, over what was there. */
  #copy(scene: Scene, index: number): void {
    const { width, height } = this.#image!;
    const { number } = scene.plan.seats[index]!;
    const sprite: Sprite = this.#sprites.of(scene.look(index), this.#kinds[index]!, number, scene.faded(index));
    const [x, y] = this.#corner(scene, index);
    const { size, pixels } = sprite;
    const [left, right] = [Math.max(0, -x), Math.min(size, width - x)];
    for (let line = Math.max(0, -y); line < Math.min(size, height - y); line++) {
      const to = (y + line) * width + x;
      const from = line * size;
      for (let column = left; column < right; column++) this.#pixels[to + column] = pixels[from + column]!;
    }
  }

  #drawFloor(scene: Scene): void {
    const { view, plan } = scene;
    const context = this.#floor;
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, context.canvas.width, context.canvas.height);
    // From here on one unit is a seat width.
    const scale = view.scale * this.#density;
    context.setTransform(scale, 0, 0, scale, view.x * this.#density, view.y * this.#density);
    this.#drawAround(context, scene.around);
    if (view.scale >= SMALLEST_BENCH_PX) this.#drawBenches(context, plan, view.visible);
    this.#drawScreen(context, scene.around.screen, plan.bounds, view);
    if (view.scale >= SMALLEST_LABEL_PX) this.#drawLabels(context, plan, view.visible);
  }

  #drawBenches(context: CanvasRenderingContext2D, { benches, seats }: Plan, visible: Box): void {
    context.strokeStyle = this.#palette.floor;
    context.lineWidth = 0.98;
    context.lineCap = context.lineJoin = 'round';
    for (const bench of benches) {
      const first = seats[bench[0]!]!;
      if (Math.min(first.y, seats[bench.at(-1)!]!.y) > visible.bottom + 1) continue;
      context.beginPath();
      context.moveTo(first.x, first.y);
      for (const index of bench) context.lineTo(seats[index]!.x, seats[index]!.y);
      context.stroke();
    }
  }

  /** Aisles as strips, sections as frames with their names. */
  #drawAround(context: CanvasRenderingContext2D, { aisles, sections }: Around): void {
    context.fillStyle = this.#palette.floor;
    for (const { x, y, width, height } of aisles) context.fillRect(x, y, width, height);
    context.strokeStyle = context.fillStyle = this.#palette.muted;
    context.lineWidth = 1 / this.#scene!.view.scale;
    context.textAlign = 'left';
    context.textBaseline = 'bottom';
    for (const { x, y, width, height, name } of sections) {
      context.setLineDash([0.3, 0.2]);
      context.strokeRect(x, y, width, height);
      context.setLineDash([]);
      this.#drawText(context, name, x + 0.1, y - 0.08, Math.max(0.5, 10 / this.#scene!.view.scale));
    }
  }

  /** A bent line where the layout has the screen, or else in front of the first row, with its label below it. */
  #drawScreen(
    context: CanvasRenderingContext2D,
    screen: Around['screen'],
    { left, right, top }: Box,
    { scale, hall }: Viewport,
  ): void {
    const middle = screen ? screen.x + screen.width / 2 : (left + right) / 2;
    const half = screen ? screen.width / 2 : Math.max(2, ((right - left) / 2) * 0.8);
    const thickness = Math.max(0.22, 3 / scale);
    const bend = Math.min(1, half / 6);
    const usual = hall.top + (top - hall.top) * 0.12 + bend / 2 + thickness / 2;
    // In front of the seats it leaves room for its label, however small the seats are.
    const y = !screen ? usual : screen.y < top ? Math.min(screen.y, usual) : screen.y;
    context.strokeStyle = this.#palette.muted;
    context.lineWidth = thickness;
    context.lineCap = 'round';
    context.beginPath();
    context.moveTo(middle - half, y);
    context.quadraticCurveTo(middle, y - bend, middle + half, y);
    context.stroke();
    context.fillStyle = this.#palette.muted;
    context.textAlign = 'center';
    context.textBaseline = 'top';
    this.#drawText(context, this.#screenLabel, middle, y + thickness * 0.7, Math.max(0.62, 11 / scale));
  }

  #drawLabels(context: CanvasRenderingContext2D, plan: Plan, visible: Box): void {
    context.fillStyle = this.#palette.muted;
    context.textAlign = 'center';
    context.textBaseline = 'middle';
    for (const { label, seats } of plan.rows) {
      const ends = [plan.seats[seats[0]!]!, plan.seats[seats.at(-1)!]!] as const;
      ends.forEach(({ x, y }, end) => {
        if (y < visible.top || y > visible.bottom) return;
        this.#drawText(context, label, end === 0 ? x - 1.15 : x + 1.15, y, label.length > 2 ? 0.42 : 0.56);
      });
    }
  }

  /** Draw text in seat widths. Browsers draw fonts of less than a pixel badly, so it is drawn large and scaled. */
  #drawText(context: CanvasRenderingContext2D, text: string, x: number, y: number, size: number): void {
    context.save();
    context.translate(x, y);
    context.scale(size / 100, size / 100);
    context.font = '500 100px system-ui, sans-serif';
    context.fillText(text, 0, 0);
    context.restore();
  }
}
