// The state of the editor, and everything that a user can do to the plan. The parts of the page read the signals and
// call the methods; nothing here knows the page.

import { batch, computed, signal } from '@preact/signals';
import { type Block, bent, blockSeats, copied, moved, usualScreen } from './geometry';
import { begun, changed, type History, redone, undone } from './history';
import { type RowLabels, renamed, type SeatNumbers } from './numbering';
import { type Area, type Box, EMPTY, type Focus, newKey, type Plan, planBounds, rounded, type Screen, type Seat } from './plan';
import { faultsOf } from './rules';
import { boxOf, fitted, type View, zoomed } from './view';

export type Tool = 'select' | 'rows' | 'section' | 'aisle' | 'pan';

const MARGIN = 3;

export class Editor {
  readonly tool = signal<Tool>('select');
  readonly snaps = signal(true);
  readonly selection = signal<ReadonlySet<number>>(new Set());
  readonly view = signal<View>({ scale: 24, left: 48, top: 48 });
  /** Size of the canvas in pixels. */
  readonly size = signal({ width: 0, height: 0 });
  /** A plan that is shown while something is dragged. */
  readonly draft = signal<Plan | null>(null);
  readonly ghost = signal<readonly Seat[]>([]);
  readonly marked = signal<Box | null>(null);
  /** What has just happened, for screen readers. */
  readonly said = signal('');
  readonly #history = signal<History<Plan>>(begun(EMPTY));
  #copied: readonly Seat[] = [];
  readonly #saved = signal<Plan | null>(null);

  readonly plan = computed(() => this.#history.value.present);
  readonly shown = computed(() => this.draft.value ?? this.plan.value);
  readonly faults = computed(() => faultsOf(this.plan.value));
  readonly faulty = computed(() => new Set(this.faults.value.flatMap(({ keys }) => keys)));
  readonly canUndo = computed(() => this.#history.value.past.length > 0);
  readonly canRedo = computed(() => this.#history.value.future.length > 0);
  /** Whether there is something that has not been published. */
  readonly isChanged = computed(() => this.#saved.value !== this.plan.value);
  readonly selectedSeats = computed(() => this.plan.value.seats.filter(({ key }) => this.selection.value.has(key)));
  readonly selectedAreas = computed(() => this.plan.value.areas.filter(({ key }) => this.selection.value.has(key)));

  /** Begin with a plan as it is published. */
  open(plan: Plan): void {
    batch(() => {
      this.#history.value = begun(plan);
      this.#saved.value = plan;
      this.selection.value = new Set();
    });
    this.showAll();
  }

  /** The plan has been published. */
  published(plan: Plan): void {
    this.#saved.value = plan;
  }

  // Steps that can be undone

  change(plan: Plan, said = ''): void {
    batch(() => {
      this.#history.value = changed(this.#history.value, plan);
      this.said.value = said;
    });
  }

  undo(): void {
    this.#history.value = undone(this.#history.value);
    this.#forgetMissing();
    this.said.value = 'Undone.';
  }

  redo(): void {
    this.#history.value = redone(this.#history.value);
    this.#forgetMissing();
    this.said.value = 'Redone.';
  }

  /** Add a block of rows, and a screen if there is none. */
  addBlock(block: Block): void {
    const seats = blockSeats(block);
    const plan = this.plan.value;
    const all = [...plan.seats, ...seats];
    const screen = plan.screen ?? usualScreen(all);
    batch(() => {
      this.change({ ...plan, seats: all, screen }, `${seats.length === 1 ? 'One seat' : `${seats.length} seats`} added.`);
      this.select(seats.map(({ key }) => key));
    });
  }

  addArea(kind: Area['kind'], { left, top, right, bottom }: Box): void {
    const plan = this.plan.value;
    const number = plan.areas.filter((area) => area.kind === 'section').length + 1;
    const area: Area = {
      key: newKey(),
      kind,
      name: kind === 'section' ? `Section ${number}` : '',
      x: rounded(Math.max(0, left)),
      y: rounded(Math.max(0, top)),
      width: rounded(Math.max(0.5, right - Math.max(0, left))),
      height: rounded(Math.max(0.5, bottom - Math.max(0, top))),
    };
    batch(() => {
      this.change({ ...plan, areas: [...plan.areas, area] }, kind === 'aisle' ? 'Aisle added.' : 'Section added.');
      this.select([area.key]);
    });
  }

  changeArea(key: number, properties: Partial<Area>): void {
    const plan = this.plan.value;
    this.change({ ...plan, areas: plan.areas.map((area) => (area.key === key ? { ...area, ...properties } : area)) });
  }

  changeScreen(screen: Screen | null): void {
    this.change({ ...this.plan.value, screen });
  }

  /** @param focus null for the server's default */
  changeFocus(focus: Focus | null): void {
    this.change({ ...this.plan.value, focus });
  }

  /** Give the selected seats other properties. */
  changeSeats(properties: Partial<Pick<Seat, 'row' | 'number' | 'type' | 'x' | 'y'>>): void {
    this.#replaceSeats(this.selectedSeats.value.map((seat) => ({ ...seat, ...properties })));
  }

  renameSelection(labels: RowLabels, numbers: SeatNumbers): void {
    this.#replaceSeats(renamed(this.selectedSeats.value, labels, numbers), 'Numbered anew.');
  }

  bendSelection(depth: number): void {
    this.#replaceSeats(bent(this.selectedSeats.value, depth), 'Curved.');
  }

  moveSelection(dx: number, dy: number): void {
    this.change(moved(this.plan.value, this.selection.value, dx, dy));
  }

  copy(): void {
    this.#copied = this.selectedSeats.value;
  }

  /** Put a copy of what was copied behind it. */
  paste(): void {
    this.#addCopies(this.#copied);
  }

  duplicateSelection(): void {
    this.#addCopies(this.selectedSeats.value);
  }

  deleteSelection(): void {
    const gone = this.selection.value;
    if (gone.size === 0) return;
    const plan = this.plan.value;
    const stays = ({ key }: { key: number }) => !gone.has(key);
    batch(() => {
      this.change({ ...plan, seats: plan.seats.filter(stays), areas: plan.areas.filter(stays) }, `${gone.size} deleted.`);
      this.select([]);
    });
  }

  // Selecting and looking

  select(keys: Iterable<number>): void {
    this.selection.value = new Set(keys);
  }

  selectAll(): void {
    this.select([...this.plan.value.seats, ...this.plan.value.areas].map(({ key }) => key));
  }

  /** Select and show what a fault is about. */
  show(keys: readonly number[]): void {
    this.select(keys);
    const plan = this.plan.value;
    const isMeant = ({ key }: { key: number }) => keys.includes(key);
    const areas = plan.areas.filter(isMeant);
    const seats = plan.seats.filter(isMeant);
    if (seats.length + areas.length === 0) return;
    const box = planBounds({ ...EMPTY, seats, areas });
    const { left, top, right, bottom } = seats.length > 0 ? box : boxOf(areas[0]!.x, areas[0]!.y, areas[0]!.x + areas[0]!.width, areas[0]!.y + areas[0]!.height);
    this.#fit({ left: left - MARGIN, top: top - MARGIN, right: right + MARGIN, bottom: bottom + MARGIN });
  }

  showAll(): void {
    this.#fit(planBounds(this.plan.value));
  }

  zoom(factor: number): void {
    const { width, height } = this.size.value;
    this.view.value = zoomed(this.view.value, factor, width / 2, height / 2);
  }

  #addCopies(seats: readonly Seat[]): void {
    const plan = this.plan.value;
    const copies = copied(seats, plan.seats);
    if (copies.length === 0) return;
    batch(() => {
      this.change({ ...plan, seats: [...plan.seats, ...copies] }, `${copies.length} seats copied.`);
      this.select(copies.map(({ key }) => key));
    });
  }

  #fit(box: Box): void {
    const { width, height } = this.size.value;
    if (width > 0) this.view.value = fitted(box, width, height);
  }

  #replaceSeats(seats: readonly Seat[], said = ''): void {
    const byKey = new Map(seats.map((seat) => [seat.key, seat]));
    const plan = this.plan.value;
    this.change({ ...plan, seats: plan.seats.map((seat) => byKey.get(seat.key) ?? seat) }, said);
  }

  #forgetMissing(): void {
    const present = new Set([...this.plan.value.seats, ...this.plan.value.areas].map(({ key }) => key));
    this.select([...this.selection.value].filter((key) => present.has(key)));
  }
}
