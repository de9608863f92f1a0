// Zooming and panning with the mouse, the wheel, a trackpad and fingers.

import type { Viewport } from './viewport.js';

/** A pointer that moves less than this is a click. */
const CLICK_PX = 6;
const WHEEL_SPEED = 0.0016;
const LINE_PX = 16;

interface Point {
  x: number;
  y: number;
}

export class Gestures {
  #stage: HTMLElement;
  #view: Viewport;
  #moved: () => void;
  #pointers = new Map<number, Point>();
  #travelled = 0;

  /** @param moved is called after the view has changed */
  constructor(stage: HTMLElement, view: Viewport, moved: () => void) {
    this.#stage = stage;
    this.#view = view;
    this.#moved = moved;
    stage.addEventListener('pointerdown', (event) => this.#down(event));
    stage.addEventListener('pointermove', (event) => this.#move(event));
    for (const end of ['pointerup', 'pointercancel'] as const) {
      stage.addEventListener(end, (event) => this.#pointers.delete(event.pointerId));
    }
    stage.addEventListener('wheel', (event) => this.#wheel(event), { passive: false });
  }

  /** Whether the last press was a movement and not a click. */
  get dragged(): boolean {
    return this.#travelled > CLICK_PX;
  }

  get isActive(): boolean {
    return this.#pointers.size > 0;
  }

  #down(event: PointerEvent): void {
    if (event.button !== 0) return;
    if (this.#pointers.size === 0) this.#travelled = 0;
    this.#pointers.set(event.pointerId, this.#pointOf(event));
  }

  #move(event: PointerEvent): void {
    const before = this.#pointers.get(event.pointerId);
    if (before === undefined) return;
    // The button was released outside the window.
    if (event.pointerType === 'mouse' && event.buttons === 0) {
      this.#pointers.delete(event.pointerId);
      return;
    }
    const now = this.#pointOf(event);
    const spread = this.#spread();
    this.#pointers.set(event.pointerId, now);
    this.#travelled += Math.hypot(now.x - before.x, now.y - before.y);
    if (!this.dragged) return;
    // Clicks must reach the seats, so the pointer is only captured once it drags.
    if (!this.#stage.hasPointerCapture(event.pointerId)) this.#stage.setPointerCapture(event.pointerId);
    const share = 1 / this.#pointers.size;
    this.#view.pan((now.x - before.x) * share, (now.y - before.y) * share);
    const wider = this.#spread();
    if (spread && wider && spread.distance > 0) {
      this.#view.zoom(wider.distance / spread.distance, wider.middle.x, wider.middle.y);
    }
    this.#moved();
  }

  /** Distance and middle of two fingers. */
  #spread(): { distance: number; middle: Point } | null {
    const [one, other] = [...this.#pointers.values()];
    if (one === undefined || other === undefined) return null;
    return {
      distance: Math.hypot(one.x - other.x, one.y - other.y),
      middle: { x: (one.x + other.x) / 2, y: (one.y + other.y) / 2 },
    };
  }

  #wheel(event: WheelEvent): void {
    const lines = event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE_PX;
    // A pinch on a trackpad arrives as a wheel with the control key, in smaller steps.
    const factor = Math.exp(-event.deltaY * lines * WHEEL_SPEED * (event.ctrlKey ? 6 : 1));
    // At either end of the zoom the page scrolls on.
    if (factor < 1 ? this.#view.isFitted : this.#view.scale >= this.#view.largestScale) return;
    event.preventDefault();
    const { x, y } = this.#pointOf(event);
    this.#view.zoom(factor, x, y);
    this.#moved();
  }

  #pointOf(event: MouseEvent): Point {
    const box = this.#stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  }
}
