// The room as the seat map shows it to visitors, before it is published: drawn by the component's own painter.

import { useEffect, useRef } from 'preact/hooks';
import { Dialog } from '../common/pieces';
import { boundsAround } from '../seats/hall';
import { Painter } from '../seats/painter';
import { Plan as Hall } from '../seats/plan';
import type { Palette } from '../seats/sprites';
import { Look } from '../seats/states';
import { Viewport } from '../seats/viewport';
import { layoutOf, type Plan } from './plan';

const COLOURS: Readonly<Record<keyof Palette, string>> = {
  available: '--editor-free',
  mine: '--seat-own',
  reserved: '--seat-held',
  booked: '--seat-sold',
  mark: '--surface',
  background: '--surface',
  floor: '--sunken',
  text: '--ink',
  muted: '--ink-soft',
};

export function PreviewDialog({ plan, close }: { plan: Plan; close: () => void }) {
  const floor = useRef<HTMLCanvasElement>(null);
  const seats = useRef<HTMLCanvasElement>(null);
  useEffect(() => {
    const style = getComputedStyle(floor.current!);
    const palette = Object.fromEntries(
      Object.entries(COLOURS).map(([name, variable]) => [name, style.getPropertyValue(variable).trim()]),
    ) as unknown as Palette;
    const hall = new Hall(plan.seats.map(({ key, row, number, type, x, y }) => ({ id: key, row, number, type, x, y })));
    const { width, height } = floor.current!.getBoundingClientRect();
    const view = new Viewport();
    view.resize(width, height);
    const { screen, sections, aisles } = layoutOf(plan, 0);
    const around = { screen: screen ?? null, sections: sections ?? [], aisles: aisles ?? [] };
    view.show(boundsAround(hall, around));
    const painter = new Painter(floor.current!, seats.current!, palette);
    painter.resize(width, height, devicePixelRatio);
    painter.show({ plan: hall, around, view, look: () => Look.Available, faded: () => false }, 'Screen');
    painter.draw();
  }, []);
  return (
    <Dialog title="Preview" close={close}>
      <div class="editor-preview" role="img" aria-label={`The room with ${plan.seats.length} seats, as visitors see it`}>
        <canvas ref={floor} />
        <canvas ref={seats} />
      </div>
      <div class="row">
        <button type="button" class="button button-quiet" onClick={close}>
          Close
        </button>
      </div>
    </Dialog>
  );
}
