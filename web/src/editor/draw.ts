// Paints a plan on a canvas.

import { type Area, type Box, type Plan, rowsOf, type Seat } from './plan';
import type { View } from './view';

export interface Colours {
  paper: string;
  grid: string;
  line: string;
  ink: string;
  soft: string;
  accent: string;
  accentSoft: string;
  bad: string;
  standard: string;
  vip: string;
  wheelchair: string;
  other: string;
}

/** The colours of the page's theme. */
export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const value = (name: string) => style.getPropertyValue(name).trim();
  return {
    paper: value('--surface'),
    grid: value('--line'),
    line: value('--line-strong'),
    ink: value('--ink'),
    soft: value('--ink-soft'),
    accent: value('--accent'),
    accentSoft: value('--accent-soft'),
    bad: value('--bad'),
    standard: value('--editor-standard'),
    vip: value('--editor-vip'),
    wheelchair: value('--editor-wheelchair'),
    other: value('--editor-other'),
  };
}

export function colourOf(type: string, colours: Colours): string {
  if (type === 'standard') return colours.standard;
  if (type === 'vip') return colours.vip;
  return type === 'wheelchair' ? colours.wheelchair : colours.other;
}

export interface Scene {
  plan: Plan;
  view: View;
  width: number;
  height: number;
  selection: ReadonlySet<number>;
  /** Keys of the seats and areas with faults. */
  faulty: ReadonlySet<number>;
  /** Seats that would be drawn if the button were released now. */
  ghost: readonly Seat[];
  /** The rectangle that is being drawn, in the room. */
  marked: Box | null;
}

const SEAT_SIZE = 0.78;
const NUMBERS_FROM_SCALE = 20;
const LABELS_FROM_SCALE = 8;
const GRID_FROM_SCALE = 14;

export function paint(context: CanvasRenderingContext2D, scene: Scene, colours: Colours): void {
  const { plan, view, width, height } = scene;
  context.fillStyle = colours.paper;
  context.fillRect(0, 0, width, height);
  const visible = {
    left: -view.left / view.scale - 1,
    top: -view.top / view.scale - 1,
    right: (width - view.left) / view.scale + 1,
    bottom: (height - view.top) / view.scale + 1,
  };
  if (view.scale >= GRID_FROM_SCALE) paintGrid(context, view, visible, colours);
  paintWalls(context, view, width, height, colours);
  for (const area of plan.areas) paintArea(context, area, scene, colours);
  paintScreen(context, scene, colours);
  const shown = plan.seats.filter(
    ({ x, y }) => x >= visible.left && x <= visible.right && y >= visible.top && y <= visible.bottom,
  );
  paintSeats(context, shown, scene, colours);
  if (view.scale >= LABELS_FROM_SCALE) paintLabels(context, plan.seats, view, colours);
  context.globalAlpha = 0.5;
  paintSeats(context, scene.ghost, scene, colours);
  context.globalAlpha = 1;
  if (scene.marked) paintMark(context, scene.marked, view, colours);
}

function paintGrid(context: CanvasRenderingContext2D, view: View, visible: Box, colours: Colours): void {
  context.fillStyle = colours.grid;
  for (let x = Math.max(0, Math.floor(visible.left)); x < visible.right; x++) {
    for (let y = Math.max(0, Math.floor(visible.top)); y < visible.bottom; y++) {
      context.fillRect(x * view.scale + view.left - 1, y * view.scale + view.top - 1, 2, 2);
    }
  }
}

/** The room's edges at the left and at the front: nothing can be beyond them. */
function paintWalls(context: CanvasRenderingContext2D, view: View, width: number, height: number, colours: Colours): void {
  context.fillStyle = colours.accentSoft;
  context.globalAlpha = 0.6;
  if (view.left > 0) context.fillRect(0, 0, view.left, height);
  if (view.top > 0) context.fillRect(Math.max(0, view.left), 0, width, view.top);
  context.globalAlpha = 1;
}

function paintArea(context: CanvasRenderingContext2D, area: Area, { view, selection, faulty }: Scene, colours: Colours): void {
  const x = area.x * view.scale + view.left;
  const y = area.y * view.scale + view.top;
  const width = area.width * view.scale;
  const height = area.height * view.scale;
  const isAisle = area.kind === 'aisle';
  const edge = selection.has(area.key) ? colours.accent : faulty.has(area.key) ? colours.bad : colours.line;
  context.fillStyle = isAisle ? colours.grid : colours.accentSoft;
  context.globalAlpha = isAisle ? 0.55 : 0.35;
  context.fillRect(x, y, width, height);
  context.globalAlpha = 1;
  context.strokeStyle = edge;
  context.lineWidth = selection.has(area.key) ? 2 : 1;
  context.setLineDash(isAisle ? [] : [6, 4]);
  context.strokeRect(x, y, width, height);
  context.setLineDash([]);
  if (!isAisle && area.name) {
    context.fillStyle = colours.soft;
    context.textAlign = 'left';
    context.textBaseline = 'bottom';
    context.font = font(Math.min(16, Math.max(10, view.scale * 0.5)), 600);
    context.fillText(area.name, x + 4, y - 3, Math.max(40, width));
  }
}

function paintScreen(context: CanvasRenderingContext2D, { plan, view }: Scene, colours: Colours): void {
  if (!plan.screen) return;
  const x = plan.screen.x * view.scale + view.left;
  const y = plan.screen.y * view.scale + view.top;
  const width = plan.screen.width * view.scale;
  const bow = Math.min(18, view.scale * 0.5);
  context.strokeStyle = colours.ink;
  context.lineWidth = Math.max(2, view.scale * 0.12);
  context.lineCap = 'round';
  context.beginPath();
  context.moveTo(x, y + bow);
  context.quadraticCurveTo(x + width / 2, y - bow, x + width, y + bow);
  context.stroke();
  context.fillStyle = colours.soft;
  context.textAlign = 'center';
  context.textBaseline = 'bottom';
  context.font = font(Math.min(15, Math.max(9, view.scale * 0.45)), 600);
  context.fillText('Screen', x + width / 2, y - 2);
}

function paintSeats(context: CanvasRenderingContext2D, seats: readonly Seat[], scene: Scene, colours: Colours): void {
  const { view, selection, faulty } = scene;
  const size = SEAT_SIZE * view.scale;
  const radius = Math.min(size * 0.28, 7);
  const left = (seat: Seat) => seat.x * view.scale + view.left - size / 2;
  const top = (seat: Seat) => seat.y * view.scale + view.top - size / 2;
  // Wheelchair places are round, so that colour alone says nothing.
  const outline = (chosen: readonly Seat[], margin: number) => {
    const side = size + 2 * margin;
    context.beginPath();
    for (const seat of chosen) {
      const corner = seat.type === 'wheelchair' ? side / 2 : radius + margin;
      context.roundRect(left(seat) - margin, top(seat) - margin, side, side, corner);
    }
  };
  for (const type of new Set(seats.map((seat) => seat.type))) {
    context.fillStyle = colourOf(type, colours);
    outline(seats.filter((seat) => seat.type === type), 0);
    context.fill();
  }
  const faults = seats.filter(({ key }) => faulty.has(key));
  if (faults.length > 0) {
    context.strokeStyle = colours.bad;
    context.lineWidth = Math.max(2, view.scale * 0.1);
    outline(faults, 1);
    context.stroke();
  }
  const selected = seats.filter(({ key }) => selection.has(key));
  if (selected.length > 0) {
    context.fillStyle = colours.accent;
    context.strokeStyle = colours.accent;
    context.lineWidth = Math.min(3, view.scale * 0.1);
    outline(selected, 0);
    context.fill();
    context.stroke();
  }
  if (view.scale < NUMBERS_FROM_SCALE) return;
  context.fillStyle = colours.paper;
  context.textAlign = 'center';
  context.textBaseline = 'middle';
  context.font = font(view.scale * 0.34, 600);
  for (const seat of seats) {
    context.fillText(String(seat.number), seat.x * view.scale + view.left, seat.y * view.scale + view.top + 0.5, size);
  }
}

function paintLabels(context: CanvasRenderingContext2D, seats: readonly Seat[], view: View, colours: Colours): void {
  context.fillStyle = colours.soft;
  context.textAlign = 'right';
  context.textBaseline = 'middle';
  context.font = font(Math.min(15, view.scale * 0.5), 650);
  for (const [label, row] of rowsOf(seats)) {
    const first = row[0]!;
    context.fillText(label, (first.x - 0.7) * view.scale + view.left, first.y * view.scale + view.top);
  }
}

function paintMark(context: CanvasRenderingContext2D, mark: Box, view: View, colours: Colours): void {
  const x = mark.left * view.scale + view.left;
  const y = mark.top * view.scale + view.top;
  const width = (mark.right - mark.left) * view.scale;
  const height = (mark.bottom - mark.top) * view.scale;
  context.fillStyle = colours.accent;
  context.globalAlpha = 0.08;
  context.fillRect(x, y, width, height);
  context.globalAlpha = 1;
  context.strokeStyle = colours.accent;
  context.lineWidth = 1;
  context.strokeRect(x, y, width, height);
}

function font(pixels: number, weight: number): string {
  return `${weight} ${pixels}px system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif`;
}
