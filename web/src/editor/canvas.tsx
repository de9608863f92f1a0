// The drawing: selecting, moving and drawing with the pointer, and the keys that act on the selection.

import { useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { coloursOf, type Colours, paint } from './draw';
import type { Editor } from './editor';
import { type Block, blockIn, blockSeats, GRID, moved, snapped } from './geometry';
import type { Box } from './plan';
import { boxOf, keysIn, thingAt, toRoom, zoomed } from './view';

const CLICK_PX = 4;
const ZOOM_STEP = 1.25;
const FINE = 0.1;
/** A block that is drawn leaves room for the wall and for the screen. */
const FIRST_SEAT = { x: 1, y: 1.5 };

interface Drag {
  kind: 'select' | 'move' | 'draw' | 'pan';
  x: number;
  y: number;
  /** In the room. */
  fromX: number;
  fromY: number;
  shift: boolean;
  hasMoved: boolean;
}

/** @param template what a block that is drawn has beside its size */
export function Canvas({ editor, template }: { editor: Editor; template: () => Omit<Block, 'x' | 'y' | 'rows' | 'seatsPerRow'> }) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const drag = useRef<Drag | null>(null);
  const colours = useRef<Colours | null>(null);
  const frame = useRef(0);

  const repaint = () => {
    cancelAnimationFrame(frame.current);
    frame.current = requestAnimationFrame(() => {
      const element = canvas.current;
      const context = element?.getContext('2d');
      if (!element || !context) return;
      colours.current ??= coloursOf(element);
      const { width, height } = editor.size.peek();
      const ratio = element.width / Math.max(1, width);
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      paint(
        context,
        {
          plan: editor.shown.peek(),
          view: editor.view.peek(),
          width,
          height,
          selection: editor.selection.peek(),
          faulty: editor.faulty.peek(),
          ghost: editor.ghost.peek(),
          marked: editor.marked.peek(),
        },
        colours.current,
      );
    });
  };

  useSignalEffect(() => {
    for (const one of [editor.shown, editor.view, editor.size, editor.selection, editor.faulty, editor.ghost, editor.marked]) {
      void one.value;
    }
    repaint();
  });

  useEffect(() => {
    const element = canvas.current!;
    const resize = () => {
      const { width, height } = element.parentElement!.getBoundingClientRect();
      element.width = Math.round(width * devicePixelRatio);
      element.height = Math.round(height * devicePixelRatio);
      const isFirst = editor.size.peek().width === 0;
      editor.size.value = { width, height };
      if (isFirst) editor.showAll();
    };
    const observer = new ResizeObserver(resize);
    observer.observe(element.parentElement!);
    const theme = matchMedia('(prefers-color-scheme: dark)');
    const recolour = () => {
      colours.current = null;
      repaint();
    };
    theme.addEventListener('change', recolour);
    const wheel = (event: WheelEvent) => {
      event.preventDefault();
      const { x, y } = at(event);
      if (event.ctrlKey || !event.shiftKey) {
        editor.view.value = zoomed(editor.view.value, ZOOM_STEP ** (-event.deltaY / 100), x, y);
      } else pan(-event.deltaY, 0);
    };
    element.addEventListener('wheel', wheel, { passive: false });
    return () => {
      observer.disconnect();
      theme.removeEventListener('change', recolour);
      element.removeEventListener('wheel', wheel);
      cancelAnimationFrame(frame.current);
      editor.size.value = { width: 0, height: 0 };
    };
  }, []);

  const at = (event: MouseEvent) => {
    const box = canvas.current!.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };

  const pan = (dx: number, dy: number) => {
    const { scale, left, top } = editor.view.value;
    editor.view.value = { scale, left: left + dx, top: top + dy };
  };

  const down = (event: PointerEvent) => {
    canvas.current!.focus();
    canvas.current!.setPointerCapture(event.pointerId);
    const { x, y } = at(event);
    const room = toRoom(editor.view.value, x, y);
    const tool = editor.tool.value;
    const under = tool === 'select' ? thingAt(editor.plan.value, room.x, room.y) : null;
    let kind: Drag['kind'] = tool === 'select' ? 'select' : tool === 'pan' ? 'pan' : 'draw';
    if (event.button === 1) kind = 'pan';
    else if (under && !event.shiftKey) {
      if (!editor.selection.value.has(under.key)) editor.select([under.key]);
      kind = 'move';
    }
    drag.current = { kind, x, y, fromX: room.x, fromY: room.y, shift: event.shiftKey, hasMoved: false };
  };

  const move = (event: PointerEvent) => {
    const current = drag.current;
    if (!current) return;
    const { x, y } = at(event);
    current.hasMoved ||= Math.hypot(x - current.x, y - current.y) > CLICK_PX;
    if (!current.hasMoved) return;
    const room = toRoom(editor.view.value, x, y);
    if (current.kind === 'pan') {
      pan(x - current.x, y - current.y);
      [current.x, current.y] = [x, y];
    } else if (current.kind === 'move') {
      const grid = editor.snaps.value ? GRID : FINE;
      const [dx, dy] = [snapped(room.x - current.fromX, grid), snapped(room.y - current.fromY, grid)];
      editor.draft.value = moved(editor.plan.value, editor.selection.value, dx, dy);
    } else {
      const box = drawnBox(current, room.x, room.y);
      editor.marked.value = box;
      if (editor.tool.value === 'rows' && current.kind === 'draw') editor.ghost.value = blockSeats(drawnBlock(box));
    }
  };

  const up = (event: PointerEvent) => {
    const current = drag.current;
    drag.current = null;
    if (!current) return;
    const { x, y } = at(event);
    const room = toRoom(editor.view.value, x, y);
    const plan = editor.draft.value;
    editor.draft.value = null;
    editor.ghost.value = [];
    editor.marked.value = null;
    if (current.kind === 'move' && plan) editor.change(plan);
    if (current.kind === 'select') finishSelecting(current, room.x, room.y);
    if (current.kind === 'draw' && current.hasMoved) {
      const box = drawnBox(current, room.x, room.y);
      const tool = editor.tool.value;
      if (tool === 'rows') editor.addBlock(drawnBlock(box));
      else if (tool === 'section' || tool === 'aisle') editor.addArea(tool, box);
      editor.tool.value = 'select';
    }
  };

  const finishSelecting = (current: Drag, x: number, y: number) => {
    const plan = editor.plan.value;
    const under = thingAt(plan, x, y);
    const found = current.hasMoved ? keysIn(plan, boxOf(current.fromX, current.fromY, x, y)) : under ? [under.key] : [];
    if (!current.shift) editor.select(found);
    else if (current.hasMoved) editor.select([...editor.selection.value, ...found]);
    else {
      const selection = new Set(editor.selection.value);
      for (const key of found) if (!selection.delete(key)) selection.add(key);
      editor.select(selection);
    }
  };

  const drawnBox = (current: Drag, x: number, y: number): Box => {
    if (current.kind === 'select' || !editor.snaps.value) return boxOf(current.fromX, current.fromY, x, y);
    return boxOf(snapped(current.fromX), snapped(current.fromY), snapped(x), snapped(y));
  };

  const drawnBlock = (box: Box): Block => {
    const shape = template();
    const seatAisles = { ...shape, aislesAfter: [] };
    return {
      ...seatAisles,
      ...blockIn(box, shape.seatSpacing, shape.rowSpacing),
      x: Math.max(FIRST_SEAT.x, box.left),
      y: Math.max(FIRST_SEAT.y, box.top),
    };
  };

  return (
    <div class="editor-canvas" data-tool={editor.tool.value}>
      <canvas
        ref={canvas}
        tabIndex={0}
        role="img"
        aria-label={`Drawing of the room, ${editor.plan.value.seats.length} seats`}
        onPointerDown={down}
        onPointerMove={move}
        onPointerUp={up}
        onPointerCancel={up}
      />
      {editor.ghost.value.length > 0 && <Size seats={editor.ghost.value.length} rows={new Set(editor.ghost.value.map(({ row }) => row)).size} />}
    </div>
  );
}

function Size({ seats, rows }: { seats: number; rows: number }) {
  return (
    <output class="editor-size">
      {rows} rows × {seats / rows} seats = {seats}
    </output>
  );
}

/** The keys of the editor; they do nothing while a field has the focus. */
export function useKeys(editor: Editor): void {
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (target.matches('input, select, textarea') || document.querySelector('dialog[open]')) return;
      const isCommand = event.ctrlKey || event.metaKey;
      const step = event.altKey ? FINE : GRID;
      const actions: Record<string, () => void> = isCommand
        ? {
            z: () => (event.shiftKey ? editor.redo() : editor.undo()),
            y: () => editor.redo(),
            a: () => editor.selectAll(),
            c: () => editor.copy(),
            v: () => editor.paste(),
            d: () => editor.duplicateSelection(),
          }
        : {
            Delete: () => editor.deleteSelection(),
            Backspace: () => editor.deleteSelection(),
            Escape: () => (editor.tool.value === 'select' ? editor.select([]) : (editor.tool.value = 'select')),
            '+': () => editor.zoom(ZOOM_STEP),
            '-': () => editor.zoom(1 / ZOOM_STEP),
            '0': () => editor.showAll(),
            v: () => (editor.tool.value = 'select'),
            r: () => (editor.tool.value = 'rows'),
            s: () => (editor.tool.value = 'section'),
            i: () => (editor.tool.value = 'aisle'),
            h: () => (editor.tool.value = 'pan'),
          };
      if (!isCommand && editor.selection.value.size > 0 && target.closest('.editor-canvas')) {
        actions.ArrowLeft = () => editor.moveSelection(-step, 0);
        actions.ArrowRight = () => editor.moveSelection(step, 0);
        actions.ArrowUp = () => editor.moveSelection(0, -step);
        actions.ArrowDown = () => editor.moveSelection(0, step);
      }
      const action = actions[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      if (!action) return;
      event.preventDefault();
      action();
    };
    addEventListener('keydown', press);
    return () => removeEventListener('keydown', press);
  }, [editor]);
}
