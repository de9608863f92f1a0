// The hall as a heat picture: the colour tells the state of a seat, its strength the age, and a shape the state again.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { useDark } from './chart';
import { ageOf, describe, FREE, isDirection, neighbour, seatName, type Person, type RoomSeat, type SeatState, type States, type Status } from './hall';

const LARGEST = 34;
const SMALLEST = 9;
const MARGIN = 16;
const SCREEN = 26;

type Rgb = readonly [number, number, number];

interface Colours {
  free: Rgb;
  line: Rgb;
  ink: Rgb;
  accent: Rgb;
  /** New and old. */
  heat: Record<Exclude<Status, 'available' | 'blocked'>, readonly [Rgb, Rgb]>;
}

function parsed(colour: string): Rgb {
  const short = colour.trim().replace('#', '');
  // The build shortens #ffffff to #fff.
  const hex = short.length === 3 ? short.replace(/./g, '$&$&') : short;
  return [0, 2, 4].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)) as unknown as Rgb;
}

function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const colour = (name: string): Rgb => parsed(style.getPropertyValue(name));
  const heat = (name: string): readonly [Rgb, Rgb] => [colour(`--heat-${name}-new`), colour(`--heat-${name}-old`)];
  return {
    free: colour('--surface'),
    line: colour('--line-strong'),
    ink: colour('--ink'),
    accent: colour('--accent'),
    heat: { held: heat('held'), buying: heat('held'), pending: heat('pending'), booked: heat('sold') },
  };
}

function css(colour: Rgb): string {
  return `rgb(${colour.join(' ')})`;
}

function mixed([from, to]: readonly [Rgb, Rgb], part: number): string {
  return css([0, 1, 2].map((at) => Math.round((from[at] ?? 0) * (1 - part) + (to[at] ?? 0) * part)) as unknown as Rgb);
}

interface Plan {
  size: number;
  width: number;
  height: number;
  place: (seat: RoomSeat) => { x: number; y: number };
}

/** Where the seats are drawn in a box of a width. Seats never get too small to hit; the box scrolls instead. */
export function planOf(seats: readonly RoomSeat[], width: number): Plan {
  let [left, right, top, bottom] = [Infinity, -Infinity, Infinity, -Infinity];
  for (const { x = 0, y = 0 } of seats) {
    [left, right] = [Math.min(left, x), Math.max(right, x)];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
  }
  const columns = right - left + 1;
  const size = Math.max(SMALLEST, Math.min(LARGEST, (width - 2 * MARGIN) / columns));
  const wide = Math.max(width, columns * size + 2 * MARGIN);
  const start = (wide - columns * size) / 2;
  return {
    size,
    width: wide,
    height: (bottom - top + 1) * size + SCREEN + 2 * MARGIN,
    place: ({ x = 0, y = 0 }) => ({ x: start + (x - left) * size, y: MARGIN + SCREEN + (y - top) * size }),
  };
}

function drawSeat(context: CanvasRenderingContext2D, x: number, y: number, size: number, state: SeatState, colours: Colours, now: number): void {
  const gap = Math.max(1, size * 0.1);
  const edge = size - 2 * gap;
  const [cx, cy, radius] = [x + size / 2, y + size / 2, edge / 2];
  context.beginPath();
  if (state.status === 'available') {
    context.roundRect(x + gap + 0.5, y + gap + 0.5, edge - 1, edge - 1, edge * 0.25);
    context.fillStyle = css(colours.free);
    context.fill();
    context.strokeStyle = css(colours.line);
    context.lineWidth = 1;
    context.stroke();
    return;
  }
  if (state.status === 'blocked') {
    context.moveTo(cx - radius, cy - radius);
    context.lineTo(cx + radius, cy + radius);
    context.moveTo(cx + radius, cy - radius);
    context.lineTo(cx - radius, cy + radius);
    context.strokeStyle = css(colours.ink);
    context.lineWidth = Math.max(1, size * 0.1);
    context.stroke();
    return;
  }
  context.fillStyle = mixed(colours.heat[state.status], ageOf(state, now));
  // A circle is held, a diamond waits for its payment, a square is sold; a cross is kept back.
  if (state.status === 'held' || state.status === 'buying') context.arc(cx, cy, radius, 0, 2 * Math.PI);
  else if (state.status === 'pending') {
    context.moveTo(cx, cy - radius);
    context.lineTo(cx + radius, cy);
    context.lineTo(cx, cy + radius);
    context.lineTo(cx - radius, cy);
    context.closePath();
  } else context.roundRect(x + gap, y + gap, edge, edge, edge * 0.2);
  context.fill();
}

/**
 * A hall to look at and to choose seats in, with the mouse or the keyboard.
 *
 * @param states of all seats that are not free
 * @param now by the server's clock, in milliseconds since 1970
 * @param selected ids of the chosen seats
 * @param choose called with the ids to choose from now on
 */
export function HallView({
  seats,
  states,
  people,
  now,
  selected,
  choose,
}: {
  seats: readonly RoomSeat[];
  states: States;
  people: ReadonlyMap<string, Person>;
  now: number;
  selected: ReadonlySet<number>;
  choose: (seatIds: ReadonlySet<number>) => void;
}) {
  const box = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const [width, setWidth] = useState(0);
  const [active, setActive] = useState<RoomSeat | undefined>(undefined);
  const [pointed, setPointed] = useState<RoomSeat | undefined>(undefined);
  const [focused, setFocused] = useState(false);
  useDark();
  const plan = useMemo(() => planOf(seats, width || 600), [seats, width]);
  const at = useMemo(() => {
    const cells = new Map<string, RoomSeat>();
    for (const seat of seats) {
      const { x, y } = plan.place(seat);
      cells.set(`${Math.floor(x / plan.size)} ${Math.floor(y / plan.size)}`, seat);
    }
    return (x: number, y: number): RoomSeat | undefined => {
      // Seats need not lie on the grid: look around as well.
      const [column, row] = [Math.floor(x / plan.size), Math.floor(y / plan.size)];
      for (const [dx, dy] of [[0, 0], [-1, 0], [0, -1], [-1, -1]] as const) {
        const seat = cells.get(`${column + dx} ${row + dy}`);
        if (!seat) continue;
        const place = plan.place(seat);
        if (x >= place.x && x < place.x + plan.size && y >= place.y && y < place.y + plan.size) return seat;
      }
      return undefined;
    };
  }, [seats, plan]);

  useEffect(() => {
    if (!box.current) return;
    const element = box.current;
    const resized = new ResizeObserver(() => setWidth(element.clientWidth));
    resized.observe(element);
    return () => resized.disconnect();
  }, []);

  useEffect(() => {
    const frame = requestAnimationFrame(() => {
      const element = canvas.current;
      const context = element?.getContext('2d');
      if (!element || !context) return;
      const scale = devicePixelRatio;
      element.width = Math.round(plan.width * scale);
      element.height = Math.round(plan.height * scale);
      element.style.width = `${plan.width}px`;
      element.style.height = `${plan.height}px`;
      context.scale(scale, scale);
      const colours = coloursOf(element);
      context.fillStyle = css(colours.line);
      context.globalAlpha = 0.5;
      context.beginPath();
      context.roundRect(plan.width * 0.2, MARGIN, plan.width * 0.6, 5, 3);
      context.fill();
      context.globalAlpha = 1;
      for (const seat of seats) {
        const { x, y } = plan.place(seat);
        drawSeat(context, x, y, plan.size, states.get(seat.id) ?? FREE, colours, now);
        const isActive = focused && seat === active;
        if (selected.has(seat.id) || isActive) {
          context.strokeStyle = css(isActive ? colours.accent : colours.ink);
          context.lineWidth = isActive ? 3 : 2;
          context.strokeRect(x + 1, y + 1, plan.size - 2, plan.size - 2);
        }
      }
    });
    return () => cancelAnimationFrame(frame);
  });

  function toggle(seat: RoomSeat, several: boolean): void {
    if (!several) {
      choose(new Set([seat.id]));
      return;
    }
    const next = new Set(selected);
    if (!next.delete(seat.id)) next.add(seat.id);
    choose(next);
  }

  function pressed(event: KeyboardEvent): void {
    const from = active ?? seats[0];
    if (!from) return;
    if (isDirection(event.key)) {
      const next = neighbour(seats, from, event.key);
      setActive(next);
      const { x, y } = plan.place(next);
      box.current?.scrollTo({ left: x - box.current.clientWidth / 2, top: y - box.current.clientHeight / 2 });
    } else if (event.key === 'Enter') toggle(from, false);
    else if (event.key === ' ') toggle(from, true);
    else if (event.key === 'Escape') choose(new Set());
    else return;
    event.preventDefault();
  }

  function seatUnder(event: MouseEvent): RoomSeat | undefined {
    const area = canvas.current?.getBoundingClientRect();
    return area && at(event.clientX - area.left, event.clientY - area.top);
  }

  const told = focused ? active : pointed;
  const words = (seat: RoomSeat): string => `${seatName(seat)}, ${describe(states.get(seat.id) ?? FREE, people)}`;
  return (
    <div class="hall-frame">
      <div
        class="hall"
        ref={box}
        role="application"
        tabIndex={0}
        aria-label={`Hall of ${seats.length} seats. Arrow keys move from seat to seat, Enter chooses one, Space several, Escape none.`}
        onKeyDown={pressed}
        onFocus={() => {
          setFocused(true);
          setActive((known) => known ?? seats[0]);
        }}
        onBlur={() => setFocused(false)}
      >
        <canvas
          ref={canvas}
          aria-hidden="true"
          onClick={(event) => {
            const seat = seatUnder(event);
            if (!seat) return;
            setActive(seat);
            toggle(seat, event.shiftKey || event.ctrlKey || event.metaKey);
          }}
          onMouseMove={(event) => setPointed(seatUnder(event))}
          onMouseLeave={() => setPointed(undefined)}
        />
      </div>
      <p class="hall-told muted" role="status">
        {told ? words(told) : 'Choose a seat to see who had it. Shift and click choose several.'}
      </p>
    </div>
  );
}

/** What shapes and colours mean, with the number of seats in each state. */
export function HallLegend({ counts }: { counts: Record<'held' | 'sold' | 'blocked' | 'free', number> }) {
  return (
    <ul class="legend">
      <li>
        <svg viewBox="0 0 12 12" aria-hidden="true">
          <rect x="1" y="1" width="10" height="10" rx="2.5" fill="var(--surface)" stroke="var(--line-strong)" />
        </svg>
        free <strong>{counts.free}</strong>
      </li>
      <li>
        <svg viewBox="0 0 24 12" class="wide" aria-hidden="true">
          <circle cx="6" cy="6" r="5" fill="var(--heat-held-new)" />
          <circle cx="18" cy="6" r="5" fill="var(--heat-held-old)" />
        </svg>
        held, new to old <strong>{counts.held}</strong>
      </li>
      <li>
        <svg viewBox="0 0 12 12" aria-hidden="true">
          <path d="M6 0.5 11.5 6 6 11.5 0.5 6Z" fill="var(--heat-pending-new)" />
        </svg>
        not paid yet
      </li>
      <li>
        <svg viewBox="0 0 24 12" class="wide" aria-hidden="true">
          <rect x="1" y="1" width="10" height="10" rx="2" fill="var(--heat-sold-new)" />
          <rect x="13" y="1" width="10" height="10" rx="2" fill="var(--heat-sold-old)" />
        </svg>
        sold, new to old <strong>{counts.sold}</strong>
      </li>
      <li>
        <svg viewBox="0 0 12 12" aria-hidden="true">
          <path d="M1 1 11 11M11 1 1 11" stroke="var(--ink)" stroke-width="1.5" />
        </svg>
        kept back <strong>{counts.blocked}</strong>
      </li>
    </ul>
  );
}
