// `<frontrow-seats>`: the element. It owns the parts, tells them what has changed, and speaks to the page.

import { Announcer } from './announcer.js';
import { CartPanel } from './cart_panel.js';
import { element, icon, write } from './dom.js';
import { Gestures } from './gestures.js';
import { guestIdFor } from './guest.js';
import { boundsAround, type Hall, loadHall } from './hall.js';
import { Legend } from './legend.js';
import { Painter } from './painter.js';
import type { Cart, ConnectionState, FrontrowSeatsElement, FrontrowSeatsEvents, Problem, SeatInfo, Token, Wishes } from './public.js';
import { Refusal, Rest } from './rest.js';
import { SeatButtons } from './seat_buttons.js';
import { minutesAndSeconds, ServerClock } from './server_clock.js';
import { GuestSource, type Source, type SourceListener, UserSource, type Warning } from './source.js';
import { kindOf, type Palette } from './sprites.js';
import { type Change, Look, type SeatState, SeatStates, statusOf } from './states.js';
import { COLOURS, styleSheet } from './styles.js';
import { ENGLISH, filled, type TextName, type Texts } from './texts.js';
import { Tip } from './tip.js';
import { Viewport } from './viewport.js';
import { Waiting } from './waiting.js';

/** Servers import this module too, to render pages; they have no elements. */
const Base = globalThis.HTMLElement ?? (Object as unknown as typeof HTMLElement);
const PROPERTIES = ['server', 'screening', 'token', 'guestId', 'accessCode', 'currency', 'texts'] as const;
const ZOOM_STEP = 1.5;
/** A click on smaller seats zooms in, because nobody can aim at them. */
const SMALLEST_TARGET_PX = { mouse: 8, touch: 14 };
const TARGET_ZOOM = 3;
const RECOGNISED_PX = 24;
const EXTENSION_MINUTES = 5;
const LARGEST_PARTY = 10;
const TICK_MS = 250;
/** A reservation that ends so long before its time was ended by somebody. */
const EARLY_MS = 2_000;
/** A connection that is back sooner was not worth a word. */
const PATIENCE_MS = 1_200;
const RELOAD_MS = 10_000;
const RELOAD_SPREAD_MS = 500;
const RETRY_MS = [1_000, 2_000, 4_000, 8_000, 15_000];
const LOOKS = [Look.Available, Look.Mine, Look.Reserved, Look.Booked] as const;
/** Seats that end within this time of each other are warned about together. */
const WARNED_TOGETHER_MS = 30_000;
const NO_CART: Cart = { screening: 0, seats: [], total: null, expiresAt: null, guestId: null };

/** A button in a notice. */
interface NoticeAction {
  label: string;
  act(): void;
}

/** What belongs to the screening that is shown. */
interface Shown {
  hall: Hall;
  states: SeatStates;
}

export class FrontrowSeats extends Base implements FrontrowSeatsElement {
  /** The server of elements that name none: by default the page's. */
  static home: string | URL = '/';
  static readonly observedAttributes = ['server', 'screening', 'token', 'guest-id', 'access-code', 'currency', 'lang'];

  #token: Token = '';
  #texts: Texts = { ...ENGLISH };
  #connection: ConnectionState = 'idle';
  #shown: Shown | null = null;
  #shownKey = '';
  #reloadedAtMs = -Infinity;
  #reloading: ReturnType<typeof setTimeout> | null = null;
  #source: Source | null = null;
  #clock = new ServerClock();
  #guest: { id: string; for: string } | null = null;
  /** Number of the current start; what an earlier one still does is ignored. */
  #turn = 0;
  #starting = false;
  #known = false;
  #extendable = true;
  /** When the first of the user's seats would have expired, before the latest change. */
  #endsMs: number | null = null;
  /** The text of the last warning, which goes with an extension. */
  #warning: string | null = null;
  /** Seats that end by then have been warned about. */
  #warnedUntilMs = 0;
  #ticking: ReturnType<typeof setInterval> | null = null;
  #worrying: ReturnType<typeof setTimeout> | null = null;
  #worried = false;
  /** Seats that the user is giving back, so that their end is not taken for an expiry. */
  #releasing = new Set<number>();
  #view = new Viewport();
  #painter: Painter;
  #buttons: SeatButtons;
  #gestures: Gestures;
  #legend: Legend;
  #cartPanel: CartPanel;
  #waiting: Waiting;
  #announcer: Announcer;
  #tip = new Tip();
  #frame = 0;
  #dirty = { view: true, cart: true, counts: true };
  #parts = parts();
  #observer = new ResizeObserver(() => this.#resized());
  #onResize = (): void => this.#resized();

  constructor() {
    super();
    const root = this.attachShadow({ mode: 'open' });
    root.adoptedStyleSheets = [styleSheet()];
    const { stage, floor, seats, said } = this.#parts;
    root.append(this.#parts.component);
    const palette = this.#palette();
    this.#painter = new Painter(floor, seats, palette);
    this.#legend = new Legend(palette, () => this.#filtered());
    this.#buttons = new SeatButtons(
      (index) => this.#wordsOf(index),
      (label) => this.#say('row', { row: label }),
    );
    this.#gestures = new Gestures(stage, this.#view, () => this.#moved());
    this.#announcer = new Announcer(said, (taken, freed) => {
      const counts = this.#shown?.states.counts ?? [];
      return this.#say('said_changes', { taken, freed, free: counts[Look.Available] ?? 0, all: this.#shown?.hall.plan.size ?? 0 });
    });
    this.#cartPanel = new CartPanel(this.#cartWords(), {
      giveBack: (seatId) => void this.release([seatId]),
      extend: () => void this.extend(),
      checkOut: () => this.#emit('checkout', this.cart, true),
      say: (text) => this.#announcer.say(text),
    });
    this.#waiting = new Waiting(this.#texts, { failed: (error) => this.#failed(error, []) });
    this.#assemble();
    this.#listen();
    this.#relabel();
  }

  /** Define `<frontrow-seats>`, unless the page has it. */
  static define(): void {
    const { customElements } = globalThis;
    if (customElements && !customElements.get('frontrow-seats')) customElements.define('frontrow-seats', FrontrowSeats);
  }

  // Attributes and properties

  get server(): string {
    return this.getAttribute('server') ?? '';
  }

  set server(address: string) {
    this.setAttribute('server', address);
  }

  get screening(): number {
    return Number(this.getAttribute('screening') ?? 0) || 0;
  }

  set screening(id: number) {
    this.setAttribute('screening', String(id));
  }

  get token(): Token {
    return this.#token;
  }

  set token(token: Token | null | undefined) {
    const next = token ?? '';
    if (next === this.#token) return;
    this.#token = next;
    this.#startSoon();
  }

  get guestId(): string {
    return this.getAttribute('guest-id') ?? this.#guest?.id ?? '';
  }

  set guestId(id: string) {
    this.setAttribute('guest-id', id);
  }

  get accessCode(): string {
    return this.getAttribute('access-code') ?? '';
  }

  set accessCode(code: string) {
    this.setAttribute('access-code', code);
  }

  get currency(): string {
    return this.getAttribute('currency') ?? '';
  }

  set currency(code: string) {
    this.setAttribute('currency', code);
  }

  get texts(): Partial<Record<string, string>> {
    return { ...this.#texts };
  }

  set texts(texts: Partial<Record<string, string>>) {
    this.#texts = { ...ENGLISH, ...texts } as Texts;
    this.#relabel();
  }

  get connection(): ConnectionState {
    return this.#connection;
  }

  get seats(): SeatInfo[] {
    return this.#shown?.hall.plan.seats.map((_, index) => this.#infoOf(index)) ?? [];
  }

  get cart(): Cart {
    if (this.#shown === null) return NO_CART;
    const { states } = this.#shown;
    const seats = states.mine.map((index) => this.#infoOf(index));
    const prices = seats.map(({ price }) => price);
    const total = prices.includes(null) ? null : sumOf(prices as number[]);
    const first = states.firstExpiryMs;
    return {
      screening: this.screening,
      seats,
      total,
      expiresAt: first === null ? null : new Date(first).toISOString(),
      guestId: this.#source instanceof GuestSource ? this.guestId : null,
    };
  }

  // Methods

  async hold(seatIds: readonly number[]): Promise<boolean> {
    const indices = this.#indicesOf(seatIds);
    if (this.#shown !== null && indices.length < seatIds.length) {
      this.#failed(new Refusal('seats_not_found', this.#texts.seats_not_found), []);
      return false;
    }
    return this.#attempt(indices, (source, all) => this.#take(all, source.hold(all)));
  }

  async holdBest(quantity: number, wishes: Wishes = {}): Promise<boolean> {
    if (this.#source === null || this.#shown === null) return false;
    const { bestGo } = this.#parts;
    bestGo.disabled = true;
    try {
      const [first] = await this.#source.holdBest({
        quantity,
        seat_types: wishes.seatTypes,
        max_price: wishes.maxPrice,
        accessible: wishes.accessible,
        zone: wishes.zone,
        allow_split: wishes.allowSplit,
      });
      const seat = first === undefined ? undefined : this.#shown?.hall.plan.seats[first];
      if (seat && this.#view.reveal(seat.x, seat.y)) this.#moved();
      return true;
    } catch (error) {
      this.#failed(error, []);
      return false;
    } finally {
      bestGo.disabled = false;
    }
  }

  async release(seatIds?: readonly number[]): Promise<boolean> {
    const indices = seatIds ? this.#indicesOf(seatIds) : (this.#shown?.states.mine ?? []);
    for (const index of indices) this.#releasing.add(index);
    try {
      return await this.#attempt(indices, (source, all) => source.release(all));
    } finally {
      for (const index of indices) this.#releasing.delete(index);
    }
  }

  async extend(minutes = EXTENSION_MINUTES): Promise<boolean> {
    const extend = this.#source?.extend;
    const mine = this.#shown?.states.mine ?? [];
    if (!extend || mine.length === 0) return false;
    try {
      await extend(mine, minutes);
      if (this.#parts.noticeText.textContent === this.#warning) this.#notice(null);
      this.#announcer.say(this.#texts.said_extended);
      return true;
    } catch (error) {
      if (error instanceof Refusal && error.code === 'extension_limit_reached') this.#extendable = false;
      this.#failed(error, mine);
      return false;
    } finally {
      this.#dirty.cart = true;
      this.#schedule();
    }
  }

  focusSeat(seatId: number): boolean {
    const index = this.#shown?.hall.plan.indexOf.get(seatId);
    if (index === undefined) return false;
    this.#goTo(index, true);
    return true;
  }

  showAll(): void {
    this.#view.fit();
    this.#moved();
  }

  reload(): void {
    this.#shown = null;
    this.#startSoon();
  }

  // Life cycle

  connectedCallback(): void {
    this.#observer.observe(this.#parts.stage);
    globalThis.addEventListener('resize', this.#onResize);
    // An element that was made by a script has no computed colours before.
    this.#recolour();
    this.#takeEarlyProperties();
    this.#startSoon();
  }

  disconnectedCallback(): void {
    this.#observer.disconnect();
    globalThis.removeEventListener('resize', this.#onResize);
    this.#stop();
  }

  attributeChangedCallback(name: string, before: string | null, after: string | null): void {
    if (before === after) return;
    if (name === 'token') this.token = after ?? '';
    else if (name === 'currency' || name === 'lang') this.#relabel();
    else this.#startSoon();
  }

  /** Properties that were set before the element was defined hide those of its class. */
  #takeEarlyProperties(): void {
    for (const name of PROPERTIES.filter((each) => Object.hasOwn(this, each))) {
      const { [name]: value } = this as Record<string, unknown>;
      delete (this as Record<string, unknown>)[name];
      Object.assign(this, { [name]: value });
    }
  }

  /** Start once after all changes of properties and attributes of this turn. */
  #startSoon(): void {
    if (this.#starting || !this.isConnected) return;
    this.#starting = true;
    queueMicrotask(() => {
      this.#starting = false;
      if (this.isConnected) void this.#start();
    });
  }

  #stop(): void {
    this.#turn += 1;
    this.#source?.close();
    this.#source = null;
    this.#waiting.end();
    this.#announcer.stop();
    this.#worry(false);
    if (this.#ticking !== null) clearInterval(this.#ticking);
    this.#ticking = null;
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  async #start(): Promise<void> {
    const before = this.#source;
    this.#source = null;
    this.#stop();
    const turn = this.#turn;
    const current = (): boolean => turn === this.#turn;
    const screening = this.screening;
    if (screening <= 0) {
      this.#clear();
      return before?.close();
    }
    const base = this.#base();
    const rest = new Rest(base, this.#token, this.#clock, this.accessCode);
    const key = `${base.href} ${screening} ${this.accessCode}`;
    if (this.#shown === null || this.#shownKey !== key) {
      before?.close();
      this.#clear();
      const hall = await this.#load(rest, screening, current);
      if (hall === null) return;
      this.#show(hall, key);
      // Nothing is told about the first states; they come before those of the socket, which may take its time.
      this.#shown!.states.apply(hall.states);
    }
    const isUser = await this.#isUser();
    if (!current()) return before?.close();
    // A guest who logs in keeps the seats: they are given back and at once reserved for the user.
    const carried = isUser && before instanceof GuestSource ? this.#shown!.states.mine : [];
    if (carried.length > 0) await before!.release(carried).catch(() => undefined);
    before?.close();
    if (!current()) return;
    this.#extendable = true;
    this.#known = false;
    await this.#connect(base, screening, rest, isUser, current);
    if (carried.length > 0 && current()) void this.hold(carried.map((index) => this.#shown!.hall.plan.seats[index]!.id));
  }

  /** Forget the hall and its cart. */
  #clear(): void {
    const { seats } = this.cart;
    this.#shown = null;
    this.#cartPanel.show(NO_CART, false);
    if (seats.length > 0) this.#emit('selection', NO_CART);
  }

  /** Whether there is a token. A function that fails belongs to a user too; whoever needs the token tries again. */
  async #isUser(): Promise<boolean> {
    try {
      return Boolean(typeof this.#token === 'function' ? await this.#token() : this.#token);
    } catch {
      return true;
    }
  }

  /** Load the hall, again and again if the server cannot be reached. Null if that is no use. */
  async #load(rest: Rest, screening: number, current: () => boolean): Promise<Hall | null> {
    this.#veil(this.#texts.loading);
    for (let attempt = 0; current(); attempt++) {
      try {
        const hall = await loadHall(rest, screening, await this.#isUser());
        if (!current()) return null;
        if (hall.plan.size > 0) return hall;
        throw new Refusal('no_seats', this.#texts.no_seats);
      } catch (error) {
        if (!current()) return null;
        const refusal = asRefusal(error);
        const problem = this.#problemOf(refusal, []);
        this.#veil(problem.message, true);
        if (attempt === 0 || !isPassing(refusal)) this.#emit('error', problem);
        if (!isPassing(refusal)) return null;
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS[Math.min(attempt, RETRY_MS.length - 1)]));
      }
    }
    return null;
  }

  async #connect(base: URL, screening: number, rest: Rest, isUser: boolean, current: () => boolean): Promise<void> {
    const { plan } = this.#shown!.hall;
    const listener: SourceListener = {
      states: (states, complete) => current() && this.#took(states, complete),
      connection: (state) => current() && this.#connected(state),
      altered: () => current() && this.#roomChanged(),
      sales: (open) => current() && this.#sales(open),
      expiring: (mine, expiresMs) => current() && this.#expiring(mine, expiresMs),
      offered: (indices) => current() && this.#offered(indices),
      free: (index) => current() && this.#free(index),
      unauthorized: (reason) => {
        if (!current()) return;
        this.#notice(this.#texts.unauthorized);
        this.#emit('unauthorized', { reason });
      },
      dismissed: (refusal) => current() && this.#failed(refusal, []),
    };
    const { accessCode } = this;
    const situation = { base, screening, plan, accessCode, rest, clock: this.#clock, listener };
    if (isUser) {
      this.#source = new UserSource(situation, this.#token);
      this.#waiting.begin(rest, screening);
    } else {
      const key = `${base.href} ${screening}`;
      if (this.#guest?.for !== key) {
        const id = await guestIdFor(base, screening);
        this.#guest = { id, for: key };
      }
      if (!current()) return;
      this.#source = new GuestSource(situation, this.guestId);
    }
    this.#source.open();
    this.#ticking = setInterval(() => this.#tick(), TICK_MS);
    this.#dirty.cart = true;
    this.#schedule();
  }

  #base(): URL {
    const base = new URL(this.server || FrontrowSeats.home, document.baseURI);
    base.search = base.hash = '';
    if (!base.pathname.endsWith('/')) base.pathname += '/';
    return base;
  }

  #show(hall: Hall, key: string): void {
    this.#shown = { hall, states: new SeatStates(hall.plan.size) };
    this.#shownKey = key;
    this.#tip.hide();
    this.#view.show(boundsAround(hall.plan, hall.around));
    const { left, right, top, bottom } = this.#view.hall;
    this.#parts.stage.style.setProperty('--ratio', ((right - left) / (bottom - top)).toFixed(3));
    this.#resized();
    const { plan, around } = hall;
    const scene = {
      plan,
      around,
      view: this.#view,
      look: (index: number) => this.#shown!.states.look(index),
      faded: (index: number) => this.#legend.isFiltering && this.#legend.hides(plan.seats[index]!.type),
    };
    this.#painter.show(scene, this.#texts.screen);
    this.#buttons.show(plan);
    this.#veil(null);
    this.#relabel();
    this.#moved();
  }

  // What the server says

  /** Load the room anew, but not all visitors at once, and not in a loop if its list of seats is behind. */
  #roomChanged(): void {
    if (this.#reloading !== null) return;
    const spread = Math.random() * RELOAD_SPREAD_MS;
    const pause = Math.max(spread, this.#reloadedAtMs + RELOAD_MS - performance.now());
    this.#reloading = setTimeout(() => {
      this.#reloading = null;
      this.#reloadedAtMs = performance.now();
      if (this.isConnected) this.reload();
    }, pause);
  }

  #took(states: SeatState[], complete: boolean): void {
    const { states: seats, hall } = this.#shown!;
    this.#endsMs = seats.firstExpiryMs;
    const mineBefore = new Set(seats.mine);
    const changes = seats.apply(states);
    for (const { index } of changes) {
      // The socket may be faster than the answer to the request; the seat waits for nothing more.
      seats.setPending(index, false);
      this.#painter.seatChanged(index);
      this.#buttons.refresh(index);
    }
    this.#dirty.counts = true;
    if (changes.some(({ before, after }) => before === Look.Mine || after === Look.Mine)) this.#dirty.cart = true;
    const first = !this.#known;
    if (complete) this.#known = true;
    if (!first) this.#tell(changes, mineBefore);
    if (this.#dirty.cart) this.#emit('selection', this.cart);
    if (first && complete) {
      this.#relabel();
      this.#emit('ready', { screening: this.screening, seats: hall.plan.size });
    }
    this.#schedule();
    this.#updateTip();
  }

  /** Announce changes, and send the events for those of the user's own seats. */
  #tell(changes: readonly Change[], mineBefore: ReadonlySet<number>): void {
    const held = changes.filter(({ before, after }) => after === Look.Mine && before !== Look.Mine);
    const lost = changes.filter(({ index, after }) => mineBefore.has(index) && after !== Look.Mine);
    const bought = changes.filter(({ before, after }) => after === Look.Bought && before !== Look.Bought);
    const returned = lost.filter(({ index }) => this.#releasing.has(index));
    const expired = lost.filter(({ index, after }) => after !== Look.Bought && !this.#releasing.has(index));
    const own = new Set([...held, ...lost, ...bought]);
    const others = changes.filter((change) => !own.has(change) && change.before !== change.after);
    const freed = others.filter(({ after }) => after === Look.Available).length;
    if (others.length > 0) this.#announcer.othersChanged(others.length - freed, freed);
    if (held.length > 0) {
      const { seats, total } = this.cart;
      const values = { seat: this.#namesOf(held), count: this.#countOf(seats.length), total: this.#money(total ?? 0) };
      this.#announcer.say(this.#say('said_reserved', values));
      this.#emit('hold', { seats: this.#infosOf(held) });
    }
    if (returned.length > 0) {
      this.#announcer.say(this.#say('said_released', { seat: this.#namesOf(returned) }));
      this.#emit('release', { seats: this.#infosOf(returned) });
    }
    if (expired.length > 0) {
      const early = this.#endsMs !== null && this.#endsMs - this.#clock.nowMs > EARLY_MS;
      this.#notice(this.#say(early ? 'taken_back' : 'expired', { seats: this.#namesOf(expired) }));
      this.#emit('expiry', { seats: this.#infosOf(expired), early });
    }
    if (bought.length > 0) {
      this.#announcer.say(this.#texts.said_booked);
      this.#emit('booked', { seats: this.#infosOf(bought) });
    }
  }

  /** What is said about the past, such as that nothing is on sale yet, is no longer true. */
  #sales(open: boolean): void {
    this.#notice(open ? this.#texts.sales_opened : this.#texts.sales_ended);
    this.#emit('sales', { open });
  }

  /** Warn calmly; the cart has the button for more time. Seats that were chosen one after the other share a warning. */
  #expiring(indices: readonly number[], expiresMs: number): void {
    const { states } = this.#shown!;
    const mine = indices.filter((index) => states.known(index) === Look.Mine);
    if (mine.length === 0) return;
    if (expiresMs > this.#warnedUntilMs) {
      this.#warnedUntilMs = expiresMs + WARNED_TOGETHER_MS;
      const together = states.mine.filter((index) => (states.expiresMs(index) ?? Infinity) <= this.#warnedUntilMs);
      const seconds = Math.max(1, Math.round((expiresMs - this.#clock.nowMs) / 1000));
      const time = seconds <= 60 ? this.#texts.one_minute : minutesAndSeconds(seconds * 1000);
      this.#notice(this.#say('expiring', { time, seats: together.map((index) => this.#nameOf(index)).join(', ') }));
      this.#warning = this.#parts.noticeText.textContent;
    }
    this.#emit('expiring', { seats: mine.map((index) => this.#infoOf(index)), expiresAt: new Date(expiresMs).toISOString() });
  }

  /** The turn of who has waited; the seats come by themselves. */
  #offered(indices: readonly number[]): void {
    this.#notice(this.#say('said_offered', { seats: indices.map((index) => this.#nameOf(index)).join(', ') }));
    this.#emit('offered', { seats: indices.map((index) => this.#infoOf(index)) });
    void this.#waiting.load();
  }

  #free(index: number): void {
    this.#notice(this.#say('said_free', { seat: this.#nameOf(index) }));
    this.#emit('free', { seat: this.#infoOf(index) });
  }

  /** Say that a seat is taken, and offer to tell when it is free. */
  #taken(index: number): void {
    const seat = this.#nameOf(index);
    const text = this.#say('said_taken', { seat, state: this.#stateWords(index) });
    if (!this.#waiting.isOpen || this.#shown!.states.known(index) === Look.Bought) return this.#announcer.say(text);
    const { id } = this.#shown!.hall.plan.seats[index]!;
    const act = async (): Promise<void> => {
      if (await this.#waiting.watch(id)) this.#notice(this.#say('will_tell', { seat }));
    };
    this.#notice(text, [{ label: this.#texts.tell_me, act: () => void act() }]);
  }

  #connected(state: ConnectionState): void {
    const previous = this.#connection;
    if (state === previous) return;
    this.#connection = state;
    this.#worry(state !== 'live' && state !== 'closed');
    if (state === 'live' && this.#parts.noticeText.textContent === this.#texts.unauthorized) this.#notice(null);
    this.#emit('connection', { state, previous });
  }

  /** Say that the connection is lost, once that has lasted, and that it is back. */
  #worry(worrying: boolean): void {
    if (this.#worrying !== null) clearTimeout(this.#worrying);
    this.#worrying = null;
    const { banner } = this.#parts;
    if (worrying) {
      this.#worrying = setTimeout(() => {
        this.#worried = true;
        const lost = this.#known ? this.#texts.reconnecting : this.#texts.connecting;
        write(banner, this.#connection === 'polling' ? this.#texts.polling : lost);
        banner.hidden = false;
        this.#announcer.say(banner.textContent);
      }, PATIENCE_MS);
    } else {
      banner.hidden = true;
      if (this.#worried && this.#connection === 'live') this.#announcer.say(this.#texts.connected);
      this.#worried = false;
    }
  }

  // What the user does

  async #toggle(index: number): Promise<void> {
    const { states, hall } = this.#shown!;
    const { id } = hall.plan.seats[index]!;
    if (states.isPending(index)) return;
    const look = states.known(index);
    const free = look === Look.Mine || look === Look.Available;
    if (free && this.hasAttribute('pick')) this.#emit('pick', { seat: this.#infoOf(index) });
    else if (look === Look.Mine) await this.release([id]);
    else if (look === Look.Available) await this.hold([id]);
    else this.#taken(index);
  }

  /** Ask the server for something about seats, which are shown as waiting until it answers. */
  async #attempt(
    indices: readonly number[],
    ask: (source: Source, indices: readonly number[]) => Promise<void>,
  ): Promise<boolean> {
    if (this.#source === null || this.#shown === null || indices.length === 0) return false;
    const { states } = this.#shown;
    const setPending = (pending: boolean): void => {
      // The hall may have been loaded anew in the meantime.
      if (this.#shown?.states !== states) return;
      for (const index of indices) {
        states.setPending(index, pending);
        this.#painter.seatChanged(index);
        this.#buttons.refresh(index);
      }
      this.#schedule();
    };
    setPending(true);
    try {
      await ask(this.#source, indices);
      return true;
    } catch (error) {
      this.#failed(error, indices);
      return false;
    } finally {
      setPending(false);
      this.#updateTip();
    }
  }

  #failed(error: unknown, indices: readonly number[]): void {
    const refusal = asRefusal(error);
    if (this.#shown === null || refusal.code === 'superseded' || refusal.code === 'closed') return;
    const isConflict = refusal.code === 'seats_unavailable';
    const taken = this.#indicesOf(refusal.taken).filter((index) => indices.includes(index));
    const problem = this.#problemOf(refusal, isConflict && taken.length > 0 ? taken : indices);
    this.#notice(problem.message, problem.alternatives?.map((seats) => this.#offer(seats)));
    if (refusal.largest) this.#parts.bestCount.value = String(refusal.largest);
    if (refusal.status === 401) this.#emit('unauthorized', { reason: refusal.message });
    this.#emit(isConflict ? 'conflict' : 'error', problem);
  }

  /** Wait until chosen seats are reserved, and say it if the organiser would rather have others chosen. */
  async #take(chosen: readonly number[], taking: Promise<Warning | null>): Promise<void> {
    const warning = await taking;
    if (warning === null || this.#shown === null) return;
    const [seats, stranded] = [chosen, warning.stranded].map((all) => all.map((index) => this.#nameOf(index)).join(', '));
    const alternatives = warning.alternatives.map((all) => all.map((index) => this.#infoOf(index)));
    const text = alternatives.length > 0 ? 'strands_seat_offer' : 'strands_seat';
    const message = this.#say(text, { seats: seats!, stranded: stranded! });
    this.#notice(message, alternatives.map((all) => this.#offer(all, chosen)));
    const infos = chosen.map((index) => this.#infoOf(index));
    this.#emit('warning', { code: 'would_strand_seat', message, seats: infos, alternatives });
  }

  /** Give chosen seats back, and take others in their place. */
  async #exchange(chosen: readonly number[], wanted: readonly number[]): Promise<void> {
    const { states } = this.#shown!;
    const isMine = (index: number): boolean => states.known(index) === Look.Mine;
    const given = chosen.filter((index) => isMine(index) && !wanted.includes(index));
    const taken = wanted.filter((index) => !isMine(index));
    for (const index of given) this.#releasing.add(index);
    try {
      await this.#attempt([...given, ...taken], (source) => this.#take(taken, source.exchange(given, taken)));
    } finally {
      for (const index of given) this.#releasing.delete(index);
    }
  }

  #problemOf(refusal: Refusal, indices: readonly number[]): Problem {
    const seats = indices.map((index) => this.#infoOf(index));
    const names = indices.map((index) => this.#nameOf(index)).join(', ');
    let name: TextName = 'failed';
    if (refusal.code === 'seats_unavailable') name = indices.length > 1 ? 'conflict_many' : 'conflict';
    else if (refusal.code === 'no_adjacent_seats' && !refusal.largest) name = 'no_such_seats';
    else if (refusal.code === 'would_strand_seat' && refusal.alternatives.length > 0) name = 'would_strand_seat_offer';
    else if (refusal.code in ENGLISH) name = refusal.code as TextName;
    else if (refusal.status === 401) name = 'unauthorized';
    else if (refusal.status >= 500 || refusal.status === 429) name = 'busy';
    const { code, largest, alternatives } = refusal;
    const stranded = this.#indicesOf(refusal.stranded).map((index) => this.#nameOf(index)).join(', ');
    const values = { seats: names, stranded, message: refusal.message, largest: largest ?? 0 };
    const problem: Problem = { code, message: this.#say(name, values), seats };
    if (largest !== null) problem.largest = largest;
    if (alternatives.length > 0) {
      problem.alternatives = alternatives.map((ids) => this.#indicesOf(ids).map((index) => this.#infoOf(index)));
    }
    return problem;
  }

  #listen(): void {
    const { stage, zoomIn, zoomOut, all, find, words, best, bestCount, dismiss, retry } = this.#parts;
    stage.addEventListener('click', (event) => this.#clicked(event));
    stage.addEventListener('keydown', (event) => this.#key(event));
    stage.addEventListener('pointermove', (event) => this.#hover(event));
    stage.addEventListener('pointerleave', () => this.#unhover());
    stage.addEventListener('focusin', (event) => this.#focused(event));
    stage.addEventListener('focusout', () => this.#tip.hide());
    zoomIn.addEventListener('click', () => this.#zoom(ZOOM_STEP));
    zoomOut.addEventListener('click', () => this.#zoom(1 / ZOOM_STEP));
    all.addEventListener('click', () => this.showAll());
    dismiss.addEventListener('click', () => this.#notice(null));
    retry.addEventListener('click', () => this.reload());
    find.addEventListener('submit', (event) => {
      event.preventDefault();
      const index = this.#shown?.hall.plan.find(words.value) ?? -1;
      if (index >= 0) this.#goTo(index, true);
      else if (words.value.trim() !== '') this.#notice(this.#say('find_nothing', { words: words.value.trim() }));
    });
    best.addEventListener('submit', (event) => {
      event.preventDefault();
      this.#askForBest(Number(bestCount.value));
    });
    // A colour of the page has changed, by a theme or in any other way.
    this.#parts.probes.addEventListener('transitionend', () => this.#recolour());
  }

  /** Reserve the best seats of the types that the filter shows. */
  #askForBest(quantity: number): void {
    if (this.#shown === null) return;
    const types = [...new Set(this.#shown.hall.plan.seats.map(({ type }) => type))];
    const seatTypes = types.filter((type) => kindOf(type) !== 'wheelchair' && !this.#legend.hides(type));
    // Whoever hides all but the wheelchair places is looking for one.
    if (seatTypes.length === 0) void this.holdBest(quantity, { accessible: true });
    else void this.holdBest(quantity, this.#legend.isFiltering ? { seatTypes } : {});
  }

  #clicked(event: MouseEvent): void {
    if (this.#shown === null) return;
    const byPointer = event.detail > 0;
    if (byPointer && this.#gestures.dragged) return;
    const index = byPointer ? this.#at(event) : this.#buttons.indexOf(event.composedPath()[0] ?? null);
    const touch = event instanceof PointerEvent && event.pointerType === 'touch';
    if (byPointer && this.#view.scale < SMALLEST_TARGET_PX[touch ? 'touch' : 'mouse']) {
      const { x, y } = this.#pointOf(event);
      this.#view.zoom(Math.max(TARGET_ZOOM, (2 * SMALLEST_TARGET_PX.touch) / this.#view.scale), x, y);
      this.#moved();
      return;
    }
    if (index < 0) return;
    this.#buttons.choose(index);
    void this.#toggle(index);
  }

  #key(event: KeyboardEvent): void {
    if (this.#shown === null) return;
    const target = this.#buttons.target(event);
    if (target !== null && !event.ctrlKey) {
      event.preventDefault();
      if (target >= 0) this.#goTo(target);
    } else if (event.key === '+' || event.key === '=') {
      this.#zoom(ZOOM_STEP, true);
    } else if (event.key === '-') {
      this.#zoom(1 / ZOOM_STEP, true);
    } else if (event.key === '0') {
      this.showAll();
    } else if (event.key === 'Escape' && (this.#tip.seat >= 0 || !this.#view.isFitted)) {
      event.stopPropagation();
      if (this.#tip.seat >= 0) this.#tip.hide();
      else this.showAll();
    }
  }

  /** @param closer whether to zoom in if seats are too small to recognise */
  #goTo(index: number, closer = false): void {
    const { x, y } = this.#shown!.hall.plan.seats[index]!;
    if (closer && this.#view.scale < SMALLEST_TARGET_PX.mouse) {
      this.#view.zoom(RECOGNISED_PX / this.#view.scale);
      this.#view.centre(x, y);
      this.#moved();
    }
    if (this.#view.reveal(x, y)) this.#moved();
    this.#buttons.focus(index);
  }

  #zoom(factor: number, aroundFocus = false): void {
    const seat = this.#shown?.hall.plan.seats[this.#buttons.current];
    if (aroundFocus && seat) this.#view.zoom(factor, seat.x * this.#view.scale + this.#view.x, seat.y * this.#view.scale + this.#view.y);
    else this.#view.zoom(factor);
    this.#moved();
  }

  #focused(event: FocusEvent): void {
    const target = event.target as HTMLElement;
    const index = this.#buttons.indexOf(target);
    if (index < 0 || this.#shown === null) return;
    const { x, y } = this.#shown.hall.plan.seats[index]!;
    // Within the hall the name stays, or screen readers would say it again at every seat.
    if (this.#buttons.indexOf(event.relatedTarget) < 0) this.#summarise();
    if (!target.matches(':focus-visible')) return;
    if (this.#view.reveal(x, y)) this.#moved();
    this.#showTip(index);
  }

  #hover(event: PointerEvent): void {
    if (event.pointerType === 'touch' || this.#gestures.dragged && this.#gestures.isActive) return this.#unhover();
    const index = this.#shown === null ? -1 : this.#at(event);
    this.#parts.stage.dataset['over'] = index >= 0 ? 'seat' : '';
    if (index < 0) this.#tip.hide();
    else if (index !== this.#tip.seat) this.#showTip(index);
  }

  #unhover(): void {
    this.#tip.hide();
    this.#parts.stage.dataset['over'] = '';
  }

  #at(event: MouseEvent): number {
    const { x, y } = this.#pointOf(event);
    const point = this.#view.toHall(x, y);
    return this.#shown!.hall.plan.at(point.x, point.y);
  }

  #pointOf(event: MouseEvent): { x: number; y: number } {
    const box = this.#parts.stage.getBoundingClientRect();
    const { clientLeft, clientTop } = this.#parts.stage;
    return { x: event.clientX - box.left - clientLeft, y: event.clientY - box.top - clientTop };
  }

  // Drawing

  #resized(): void {
    const { clientWidth: width, clientHeight: height } = this.#parts.stage;
    if (width === 0 || height === 0) return;
    const density = Math.max(1, globalThis.devicePixelRatio || 1);
    this.#view.resize(width, height);
    this.#painter.resize(width, height, density);
    this.#moved();
  }

  #moved(): void {
    this.#painter.invalidate();
    this.#dirty.view = true;
    this.#schedule();
  }

  #filtered(): void {
    this.#painter.invalidate();
    this.#buttons.refreshAll();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#draw());
  }

  #draw(): void {
    this.#frame = 0;
    if (this.#shown === null) return;
    this.#painter.draw();
    if (this.#dirty.view) {
      this.#buttons.place(this.#view);
      this.#parts.stage.toggleAttribute('data-zoomed', !this.#view.isFitted);
      this.#parts.zoomOut.disabled = this.#parts.all.disabled = this.#view.isFitted;
      this.#parts.zoomIn.disabled = this.#view.scale >= this.#view.largestScale;
      this.#placeTip();
    }
    if (this.#dirty.counts) this.#waiting.left(this.#shown.states.counts[Look.Available] ?? 0);
    if (this.#dirty.counts) this.#legend.count(this.#shown.states.counts, (count) => count.toLocaleString(this.#language));
    if (this.#dirty.cart) {
      this.#cartPanel.show(this.cart, this.#extendable && this.#source?.extend != null);
      this.#tick();
    }
    this.#dirty = { view: false, cart: false, counts: false };
  }

  #tick(): void {
    const expires = this.#shown?.states.firstExpiryMs ?? null;
    this.#cartPanel.tick(expires === null ? null : expires - this.#clock.nowMs);
  }

  #showTip(index: number): void {
    const { name, description } = this.#wordsOf(index);
    this.#tip.show(index, name, description);
    this.#placeTip();
  }

  #updateTip(): void {
    if (this.#shown !== null && this.#tip.seat >= 0) this.#showTip(this.#tip.seat);
  }

  #placeTip(): void {
    const seat = this.#shown?.hall.plan.seats[this.#tip.seat];
    if (seat) this.#tip.place(this.#view, seat.x, seat.y);
  }

  #palette(): Palette {
    const spans = [...this.#parts.probes.children];
    return Object.fromEntries(COLOURS.map((name, at) => [name, getComputedStyle(spans[at]!).color])) as unknown as Palette;
  }

  #recolour(): void {
    const palette = this.#palette();
    this.#painter.palette = this.#legend.palette = palette;
    this.#schedule();
  }

  // Words

  #say(name: TextName, values?: Record<string, string | number>): string {
    return filled(this.#texts[name], values);
  }

  #nameOf(index: number): string {
    const { row, number } = this.#shown!.hall.plan.seats[index]!;
    return this.#say('seat', { row, number });
  }

  #namesOf(changes: readonly Change[]): string {
    return changes.map(({ index }) => this.#nameOf(index)).join(', ');
  }

  #countOf(count: number): string {
    return count === 1 ? this.#texts.one_seat : this.#say('many_seats', { count });
  }

  #stateWords(index: number): string {
    const { states } = this.#shown!;
    if (states.isPending(index)) return this.#texts.pending;
    return states.known(index) === Look.Bought ? this.#texts.bought : this.#texts[statusOf(states.known(index))];
  }

  #wordsOf(index: number): { name: string; description: string; pressed: boolean; disabled: boolean } {
    const { states, hall } = this.#shown!;
    const { type } = hall.plan.seats[index]!;
    const price = hall.prices.get(type);
    const parts = [this.#stateWords(index), this.#typeName(type), ...(price === undefined ? [] : [this.#money(price)])];
    const look = states.known(index);
    return {
      name: this.#nameOf(index),
      description: parts.join(', '),
      pressed: look === Look.Mine,
      disabled: look !== Look.Mine && look !== Look.Available,
    };
  }

  #typeName(type: string): string {
    const name = `type_${type}`;
    return (this.#texts as Record<string, string>)[name] ?? type.charAt(0).toUpperCase() + type.slice(1);
  }

  get #language(): string | undefined {
    const language = this.closest('[lang]')?.getAttribute('lang');
    try {
      return Intl.getCanonicalLocales(language || [])[0];
    } catch {
      return undefined;
    }
  }

  #money(price: number): string {
    const style = this.currency ? { style: 'currency', currency: this.currency } as const : { minimumFractionDigits: 2 };
    try {
      return price.toLocaleString(this.#language, style);
    } catch {
      // There is no such currency; a plain price is better than no hall.
      return price.toFixed(2);
    }
  }

  #cartWords(): ConstructorParameters<typeof CartPanel>[0] {
    return {
      texts: this.#texts,
      name: ({ row, number }) => this.#say('seat', { row, number }),
      type: (type) => this.#typeName(type),
      money: (price) => this.#money(price),
    };
  }

  /** Write all texts anew. */
  #relabel(): void {
    const { zoomIn, zoomOut, all, words, go, bestCount, bestGo, dismiss, retry, keys } = this.#parts;
    const texts = this.#texts;
    for (const [button, text] of [[zoomIn, texts.zoom_in], [zoomOut, texts.zoom_out], [all, texts.show_all]] as const) {
      button.setAttribute('aria-label', text);
      button.title = text;
    }
    words.setAttribute('aria-label', texts.find);
    words.placeholder = texts.find_example;
    write(go, texts.find_go);
    bestCount.setAttribute('aria-label', texts.best_count);
    write(bestGo, texts.best);
    dismiss.setAttribute('aria-label', texts.close);
    write(retry, texts.try_again);
    write(keys, texts.keys_help);
    this.#cartPanel.words = this.#cartWords();
    this.#waiting.texts = texts;
    this.#dirty.cart = true;
    if (this.#shown === null) return;
    const { hall } = this.#shown;
    const { plan, prices } = hall;
    this.#painter.screenLabel = texts.screen;
    this.#summarise();
    const used = [...new Set(plan.seats.map(({ type }) => type))].filter((type) => prices.has(type));
    const entries = [texts.legend_available, texts.legend_mine, texts.legend_reserved, texts.legend_booked];
    this.#legend.show(
      LOOKS.map((look, at) => ({ look, label: entries[at]! })),
      texts.prices,
      used.map((type) => ({ type, label: this.#typeName(type), price: this.#money(prices.get(type)!) })),
    );
    this.#dirty.counts = true;
    this.#buttons.refreshAll();
    this.#schedule();
  }

  /** Name the hall, with what is free now, for somebody who comes to it. */
  #summarise(): void {
    const { hall, states } = this.#shown!;
    const { plan, title, room } = hall;
    const summary = { title, room, free: states.counts[Look.Available]!, all: plan.size };
    this.#buttons.layer.setAttribute('aria-label', this.#say('hall_summary', summary));
  }

  #notice(text: string | null, actions: readonly NoticeAction[] = []): void {
    const { notice, noticeText, noticeActions } = this.#parts;
    notice.hidden = text === null;
    write(noticeText, text ?? '');
    noticeActions.hidden = actions.length === 0;
    noticeActions.replaceChildren(
      ...actions.map(({ label, act }) => {
        const button = element('button', { type: 'button', className: 'button' }, label);
        button.addEventListener('click', act);
        return button;
      }),
    );
    if (text !== null) this.#announcer.say(text);
  }

  /** @param instead seats of the user's own to give back for them, by their indices */
  #offer(seats: readonly SeatInfo[], instead: readonly number[] = []): NoticeAction {
    const ids = seats.map(({ id }) => id);
    const names = seats.map(({ row, number }) => this.#say('seat', { row, number })).join(', ');
    const act = (): void => {
      this.#notice(null);
      this.focusSeat(ids[0]!);
      if (instead.length > 0) void this.#exchange(instead, this.#indicesOf(ids));
      else void this.hold(ids);
    };
    return { label: this.#say('alternative', { seats: names }), act };
  }

  #veil(text: string | null, withRetry = false): void {
    const { veil, veilText, retry } = this.#parts;
    veil.hidden = text === null;
    write(veilText, text ?? '');
    retry.hidden = !withRetry;
  }

  // For pages

  #indicesOf(seatIds: readonly number[]): number[] {
    return seatIds.flatMap((id) => this.#shown?.hall.plan.indexOf.get(id) ?? []);
  }

  #infosOf(changes: readonly Change[]): SeatInfo[] {
    return changes.map(({ index }) => this.#infoOf(index));
  }

  #infoOf(index: number): SeatInfo {
    const { hall, states } = this.#shown!;
    const { id, row, number, type } = hall.plan.seats[index]!;
    const look = states.known(index);
    const expires = states.expiresMs(index);
    return {
      id,
      row,
      number,
      type,
      price: states.price(index) ?? hall.prices.get(type) ?? null,
      status: statusOf(look),
      isMine: look === Look.Mine || look === Look.Bought,
      expiresAt: expires === null ? null : new Date(expires).toISOString(),
    };
  }

  #emit<Name extends keyof FrontrowSeatsEvents>(
    name: Name,
    detail: FrontrowSeatsEvents[Name]['detail'],
    cancelable = false,
  ): void {
    this.dispatchEvent(new CustomEvent(name, { detail, cancelable }));
  }

  #assemble(): void {
    const { stage, floor, seats, veil, banner, hallBox, component, bar, notice } = this.#parts;
    this.#buttons.layer.setAttribute('aria-describedby', this.#parts.keys.id);
    stage.append(floor, seats, this.#buttons.layer, this.#tip.box, veil, banner);
    hallBox.append(bar, notice, stage, this.#legend.states, this.#legend.prices);
    this.#cartPanel.panel.append(this.#waiting.panel);
    component.append(hallBox, this.#cartPanel.panel);
  }
}

/** The elements that the component itself deals with. */
function parts() {
  const button = (path: string): HTMLButtonElement => element('button', { type: 'button', className: 'button' }, icon(path));
  const [zoomIn, zoomOut, all] = [button('M12 5v14M5 12h14'), button('M5 12h14'), button('M4 9V4h5M20 9V4h-5M4 15v5h5M20 15v5h-5')];
  const words = element('input', { type: 'search', autocomplete: 'off', enterKeyHint: 'go' });
  const go = element('button', { type: 'submit', className: 'button' });
  const find = element('form', { className: 'find', attributes: { role: 'search' } }, words, go);
  const bestCount = element('select');
  for (let count = 1; count <= LARGEST_PARTY; count++) bestCount.add(new Option(String(count), String(count), count === 2, count === 2));
  const bestGo = element('button', { type: 'submit', className: 'button' });
  const best = element('form', { className: 'find', attributes: { part: 'best' } }, bestCount, bestGo);
  const bar = element('div', { className: 'bar' }, find, best, element('div', { className: 'zoom' }, zoomOut, zoomIn, all));
  const noticeText = element('span');
  const noticeActions = element('div', { className: 'actions', hidden: true });
  const dismiss = element('button', { type: 'button' }, '×');
  const content = element('div', {}, noticeText, noticeActions);
  const notice = element('div', { className: 'notice', hidden: true, attributes: { part: 'notice' } }, content, dismiss);
  const canvas = (): HTMLCanvasElement => element('canvas', { attributes: { 'aria-hidden': 'true' } });
  const retry = element('button', { type: 'button', className: 'button', hidden: true });
  const veilText = element('span');
  const veil = element('div', { className: 'veil' }, veilText, retry);
  const banner = element('div', { className: 'banner', hidden: true, attributes: { part: 'banner' } });
  const stage = element('div', { className: 'stage', attributes: { part: 'stage' } });
  const said = element('div', { className: 'said', attributes: { role: 'status', 'aria-live': 'polite' } });
  const keys = element('p', { className: 'said', id: 'keys' });
  const probes = element('div', { className: 'probes', attributes: { 'aria-hidden': 'true' } });
  for (const name of COLOURS) {
    const probe = element('span');
    probe.style.color = `var(--${name})`;
    probes.append(probe);
  }
  const hallBox = element('div', { className: 'hall' });
  const component = element('div', { className: 'component', attributes: { part: 'component' } }, probes, said, keys);
  const [floor, seats] = [canvas(), canvas()];
  return {
    ...{ zoomIn, zoomOut, all, words, go, find, best, bestCount, bestGo, bar, noticeText, noticeActions, dismiss, notice, retry, veilText, veil, banner },
    ...{ stage, said, keys, probes, hallBox, component, floor, seats },
  };
}

function asRefusal(error: unknown): Refusal {
  if (error instanceof Refusal) return error;
  return new Refusal('failed', error instanceof Error ? error.message : String(error));
}

/** Whether it may work later. */
function isPassing({ status, code }: Refusal): boolean {
  return code === 'unreachable' || status === 429 || status >= 500;
}

function sumOf(prices: readonly number[]): number {
  return prices.reduce((total, price) => total + Math.round(price * 100), 0) / 100;
}
