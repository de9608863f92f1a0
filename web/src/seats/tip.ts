// The tooltip of a seat. Screen readers get the same words as the description of the seat's button.

import { element, write } from './dom.js';
import type { Viewport } from './viewport.js';

const GAP_PX = 8;

export class Tip {
  readonly box: HTMLElement;
  #title = element('strong');
  #details = element('span');
  /** Index of its seat, -1 while it is hidden. */
  seat = -1;

  constructor() {
    this.box = element('div', { className: 'tip', hidden: true, attributes: { part: 'tooltip', 'aria-hidden': 'true' } });
    this.box.append(this.#title, this.#details);
  }

  show(seat: number, title: string, details: string): void {
    this.seat = seat;
    write(this.#title, title);
    write(this.#details, details);
    this.box.hidden = false;
  }

  hide(): void {
    this.seat = -1;
    this.box.hidden = true;
  }

  /** Put it above its seat, or below if there is no room, and always inside the view. */
  place(view: Viewport, x: number, y: number): void {
    const { offsetWidth: width, offsetHeight: height } = this.box;
    const half = view.scale / 2;
    const [sx, sy] = [x * view.scale + view.x, y * view.scale + view.y];
    const left = Math.min(Math.max(4, sx - width / 2), view.width - width - 4);
    const above = sy - half - GAP_PX - height;
    const top = above >= 4 ? above : sy + half + GAP_PX;
    this.box.style.transform = `translate(${Math.round(left)}px, ${Math.round(top)}px)`;
  }
}
