// Where the states of seats come from and where the user's wishes go. A user's seats are reserved over REST and watched
// by `ScreeningClient`; a guest's are reserved and watched over the rooms socket, the server's way for visitors without
// a token. Both are the same seats.

import { type Party, RoomClient, ScreeningClient } from '../../client/index.js';
import { randomName } from './guest.js';
import type { Plan } from './plan.js';
import type { ConnectionState, Token } from './public.js';
import { Refusal, type Rest } from './rest.js';
import type { ServerClock } from './server_clock.js';
import type { SeatState } from './states.js';

export interface SourceListener {
  /** @param complete whether these are all seats */
  states(states: SeatState[], complete: boolean): void;
  connection(state: ConnectionState): void;
  /** The room has been changed: the server says so, or names a seat that the plan does not have. */
  altered(): void;
  /** Sales have opened or closed. */
  sales(open: boolean): void;
  /** The user's seats end soon. */
  expiring(indices: readonly number[], expiresMs: number): void;
  /** Seats for which the user has waited are reserved now. */
  offered(indices: readonly number[]): void;
  /** A seat is free about which the user wanted to be told. */
  free(index: number): void;
  unauthorized(reason: string): void;
  /** The server has told the client not to come back. */
  dismissed(refusal: Refusal): void;
}

/** The organiser warns of a choice: which seats it leaves alone, and what to choose instead; as indices. */
export interface Warning {
  stranded: readonly number[];
  alternatives: readonly (readonly number[])[];
}

/** All methods raise `Refusal`. Seats are given by their indices in the plan. */
export interface Source {
  open(): void;
  close(): void;
  hold(indices: readonly number[]): Promise<Warning | null>;
  /** Give some of the user's seats back, and reserve others in their place. */
  exchange(given: readonly number[], taken: readonly number[]): Promise<Warning | null>;
  /** Reserve the best seats for a party, given in the server's words. Returns which they are. */
  holdBest(party: Party): Promise<number[]>;
  release(indices: readonly number[]): Promise<void>;
  /** Null if the server offers no extension to this kind of visitor. */
  readonly extend: ((indices: readonly number[], minutes: number) => Promise<void>) | null;
}

export interface Situation {
  base: URL;
  screening: number;
  plan: Plan;
  /** Opens seats that are kept back; empty for none. */
  accessCode: string;
  rest: Rest;
  clock: ServerClock;
  listener: SourceListener;
}

/** Seats that a choice strands, and what to choose instead. */
interface Stranding {
  stranded?: number[];
  alternatives?: number[][];
}

interface Reservation {
  seat_id: number;
  reserved_at: string;
  expires_at: string;
  price: number | null;
}

/** The seat as `ScreeningClient` keeps it. */
interface KnownSeat {
  seat_id: number;
  status: SeatState['status'];
  is_mine: boolean;
  expires_at?: string;
  price?: number;
}

interface StateDetail {
  state: ConnectionState;
  code?: number;
  reason?: string;
}

const RESERVATIONS = 'api/v1/seat-reservations';

export class UserSource implements Source {
  #at: Situation;
  #client: ScreeningClient;

  constructor(situation: Situation, token: Token) {
    this.#at = situation;
    const { base, screening, accessCode, listener } = situation;
    this.#client = new ScreeningClient(base, screening, token as string, { accessCode });
    on(this.#client, 'seats', (change: { changed: KnownSeat[]; replaced: boolean }) => {
      listener.states(change.changed.flatMap((seat) => this.#stateOf(seat)), change.replaced);
    });
    on(this.#client, 'altered', () => listener.altered());
    on(this.#client, 'sales', ({ open }: { open: boolean }) => listener.sales(open));
    on(this.#client, 'expiring', ({ seat_ids, expires_at }: { seat_ids: number[]; expires_at: string }) => {
      const { indexOf } = situation.plan;
      listener.expiring(seat_ids.flatMap((id) => indexOf.get(id) ?? []), Date.parse(expires_at));
    });
    on(this.#client, 'offered', ({ seat_ids }: { seat_ids: number[] }) => {
      listener.offered(seat_ids.flatMap((id) => situation.plan.indexOf.get(id) ?? []));
    });
    on(this.#client, 'free', ({ seat_id }: { seat_id: number }) => {
      const index = situation.plan.indexOf.get(seat_id);
      if (index !== undefined) listener.free(index);
    });
    announceState(this.#client, listener);
    on(this.#client, 'unauthorized', ({ reason }: { reason: string }) => listener.unauthorized(reason));
  }

  open(): void {
    this.#client.open();
  }

  close(): void {
    this.#client.close();
  }

  async hold(indices: readonly number[]): Promise<Warning | null> {
    const before = this.#known(indices);
    const answer = await this.#post<{ reservations: Reservation[] } & Stranding>('reserve', indices);
    this.#reserved(answer.reservations);
    this.#noteUnlessHeard(indices, before, answer.reservations);
    return this.#warningOf(answer);
  }

  async exchange(given: readonly number[], taken: readonly number[]): Promise<Warning | null> {
    const indices = [...given, ...taken];
    const before = this.#known(indices);
    const answer = await this.#post<{ reserved: Reservation[] } & Stranding>('toggle', indices);
    this.#reserved(answer.reserved);
    this.#noteUnlessHeard(indices, before, answer.reserved);
    return this.#warningOf(answer);
  }

  async holdBest(party: Party): Promise<number[]> {
    const { screening, rest, plan, listener } = this.#at;
    const known = new Map(this.#client.seats);
    const body = { screening_id: screening, ...party };
    const { reservations } = await rest.post<{ reservations: Reservation[] }>(`${RESERVATIONS}/best-available`, body, randomName());
    this.#reserved(reservations);
    const indices = reservations.flatMap(({ seat_id }) => plan.indexOf.get(seat_id) ?? []);
    if (indices.length < reservations.length) listener.altered();
    this.#noteUnlessHeard(indices, indices.map((index) => known.get(this.#idOf(index))), reservations);
    return indices;
  }

  async release(indices: readonly number[]): Promise<void> {
    const before = this.#known(indices);
    const ids = indices.map((index) => this.#idOf(index)).join(',');
    await this.#at.rest.delete(`${RESERVATIONS}/cancel/${this.#at.screening}?seat_ids=${ids}`);
    this.#noteUnlessHeard(indices, before, []);
  }

  extend = async (indices: readonly number[], minutes: number): Promise<void> => {
    const before = this.#known(indices);
    const path = `extend?additional_minutes=${minutes}`;
    const { reservations } = await this.#post<{ reservations: Reservation[] }>(path, indices);
    this.#noteUnlessHeard(indices, before, reservations);
  };

  async #post<Answer>(path: string, indices: readonly number[]): Promise<Answer> {
    const body = { screening_id: this.#at.screening, seat_ids: indices.map((index) => this.#idOf(index)) };
    return this.#at.rest.post<Answer>(`${RESERVATIONS}/${path}`, body);
  }

  /** New reservations tell the server's time. */
  #reserved(reservations: readonly Reservation[]): void {
    for (const { reserved_at } of reservations) this.#at.clock.heard(Date.parse(reserved_at));
  }

  #warningOf({ stranded = [], alternatives = [] }: Stranding): Warning | null {
    const indices = (ids: readonly number[]): number[] => ids.flatMap((id) => this.#at.plan.indexOf.get(id) ?? []);
    return stranded.length > 0 ? { stranded: indices(stranded), alternatives: alternatives.map(indices) } : null;
  }

  /** Take an answer for the state of its seats, except where the socket has said something newer in the meantime. */
  #noteUnlessHeard(indices: readonly number[], before: readonly unknown[], reservations: Reservation[]): void {
    const reserved = new Map(reservations.map((reservation) => [reservation.seat_id, reservation]));
    const states = indices.flatMap((index, position): SeatState[] => {
      if (this.#client.seats.get(this.#idOf(index)) !== before[position]) return [];
      const reservation = reserved.get(this.#idOf(index));
      if (reservation === undefined) return [{ index, status: 'available', isMine: false, expiresMs: null }];
      const expiresMs = Date.parse(reservation.expires_at);
      return [{ index, status: 'reserved', isMine: true, expiresMs, price: reservation.price ?? undefined }];
    });
    this.#at.listener.states(states, false);
  }

  /** The seats as the socket has last described them. */
  #known(indices: readonly number[]): unknown[] {
    return indices.map((index) => this.#client.seats.get(this.#idOf(index)));
  }

  #idOf(index: number): number {
    return this.#at.plan.seats[index]!.id;
  }

  #stateOf(seat: KnownSeat): SeatState[] {
    const index = this.#at.plan.indexOf.get(seat.seat_id);
    if (index === undefined) {
      this.#at.listener.altered();
      return [];
    }
    const expiresMs = seat.is_mine && seat.expires_at ? Date.parse(seat.expires_at) : null;
    return [{ index, status: seat.status, isMine: seat.is_mine, expiresMs, price: seat.price }];
  }
}

interface Selection {
  room_id: string;
  seat_id: string;
  client_id: string;
  timestamp?: string | null;
  expires_at?: string | null;
  status?: 'booked';
  stranded?: string[];
  alternatives?: string[][];
}

interface BestSeats {
  seat_ids: string[];
  expires_at: string;
}

interface Refused {
  seat_id?: string;
  code: string;
  message: string;
  request?: string;
  largest?: number;
  stranded?: string[];
  alternatives?: string[][];
}

interface Waiting<Answer> {
  resolve(answer: Answer): void;
  reject(refusal: Refusal): void;
}

const ANSWER_MS = 10_000;
const REJOIN_MS = 3_000;

export class GuestSource implements Source {
  readonly extend = null;
  #at: Situation;
  #room: string;
  #client: RoomClient;
  #names: string[] = [];
  #byName = new Map<string, number>();
  /** Who waits for the answer about a seat. */
  #waiting = new Map<string, Waiting<Warning | null>>();
  /** Who waits for the best seats. */
  #waitingForBest: Waiting<number[]> | null = null;
  /** How long the server holds a seat for a guest; it says so only in the list of all selections. */
  #holdMs: number | null = null;

  constructor(situation: Situation, guestId: string) {
    this.#at = situation;
    this.#room = `funcion_${situation.screening}`;
    this.#nameSeats();
    this.#client = new RoomClient(situation.base, guestId, { accessCode: situation.accessCode });
    on(this.#client, 'joined', ({ selections }: { selections: Selection[] }) => this.#joined(selections));
    on(this.#client, 'selected', (selection: Selection) => this.#selected(selection));
    on(this.#client, 'best', (best: BestSeats) => this.#tookBest(best));
    on(this.#client, 'booked', (selection: Selection) => this.#tell(selection, 'booked'));
    on(this.#client, 'released', (selection: Selection) => this.#tell(selection, 'available'));
    on(this.#client, 'altered', () => situation.listener.altered());
    on(this.#client, 'sales', ({ open }: { open: boolean }) => situation.listener.sales(open));
    on(this.#client, 'expiring', ({ seat_ids, expires_at }: { seat_ids: string[]; expires_at: string }) => {
      situation.listener.expiring(seat_ids.flatMap((name) => this.#byName.get(name) ?? []), Date.parse(expires_at));
    });
    on(this.#client, 'refused', (refusal: Refused) => this.#refused(refusal));
    announceState(this.#client, situation.listener);
  }

  open(): void {
    this.#client.join(this.#room);
    this.#client.open();
  }

  close(): void {
    this.#client.close();
    const closed = new Refusal('closed', 'The hall was closed.');
    for (const name of [...this.#waiting.keys()]) this.#settle(name, closed);
    this.#waitingForBest?.reject(closed);
  }

  async hold(indices: readonly number[]): Promise<Warning | null> {
    const outcomes = await Promise.allSettled(
      indices.map((index) => this.#ask(index, (name) => this.#client.select(this.#room, name))),
    );
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed === undefined) {
      const warnings = outcomes.map((outcome) => (outcome as PromiseFulfilledResult<Warning | null>).value);
      return warnings.findLast((warning) => warning !== null) ?? null;
    }
    const held = indices.filter((_, position) => outcomes[position]!.status === 'fulfilled');
    if (held.length > 0) await this.release(held).catch(() => undefined);
    throw failed.reason;
  }

  async holdBest(party: Party): Promise<number[]> {
    return new Promise((resolve, reject) => {
      if (!this.#client.selectBest(this.#room, party)) {
        reject(new Refusal('unreachable', 'The server cannot be reached.'));
        return;
      }
      this.#waitingForBest?.reject(new Refusal('superseded', 'Other seats were asked for.'));
      const silence = new Refusal('unreachable', 'The server has not answered.');
      const timer = setTimeout(() => this.#waitingForBest?.reject(silence), ANSWER_MS);
      const settled = (): void => {
        clearTimeout(timer);
        this.#waitingForBest = null;
      };
      this.#waitingForBest = {
        resolve: (indices) => (settled(), resolve(indices)),
        reject: (refusal) => (settled(), reject(refusal)),
      };
    });
  }

  /** In two steps: rooms have no toggle. */
  async exchange(given: readonly number[], taken: readonly number[]): Promise<Warning | null> {
    await this.release(given);
    return this.hold(taken);
  }

  async release(indices: readonly number[]): Promise<void> {
    await Promise.all(indices.map((index) => this.#ask(index, (name) => this.#client.release(this.#room, name))));
  }

  #ask(index: number, send: (name: string) => boolean): Promise<Warning | null> {
    const name = this.#names[index]!;
    return new Promise((resolve, reject) => {
      if (!send(name)) {
        reject(new Refusal('unreachable', 'The server cannot be reached.'));
        return;
      }
      const timer = setTimeout(() => {
        this.#settle(name, new Refusal('unreachable', 'The server has not answered.'));
      }, ANSWER_MS);
      this.#waiting.get(name)?.reject(new Refusal('superseded', 'The seat was asked for again.'));
      this.#waiting.set(name, {
        resolve: (warning) => (clearTimeout(timer), resolve(warning)),
        reject: (refusal) => (clearTimeout(timer), reject(refusal)),
      });
    });
  }

  #settle(name: string, refusal: Refusal | null, warning: Warning | null = null): void {
    const waiting = this.#waiting.get(name);
    this.#waiting.delete(name);
    if (refusal === null) waiting?.resolve(warning);
    else waiting?.reject(refusal);
  }

  #joined(selections: Selection[]): void {
    if (selections.some(({ seat_id }) => !this.#byName.has(seat_id))) this.#at.listener.altered();
    const taken = new Map(selections.map((selection) => [selection.seat_id, selection]));
    const states = this.#names.map((name, index): SeatState => {
      const selection = taken.get(name);
      if (selection === undefined) return { index, status: 'available', isMine: false, expiresMs: null };
      const isMine = selection.client_id === this.#client.clientId;
      if (isMine) this.#learn(selection);
      const expiresMs = isMine && selection.expires_at ? Date.parse(selection.expires_at) : null;
      return { index, status: selection.status ?? 'reserved', isMine, expiresMs };
    });
    this.#at.listener.states(states, true);
  }

  #tookBest({ seat_ids, expires_at }: BestSeats): void {
    const expiresMs = Date.parse(expires_at);
    const indices = seat_ids.flatMap((name) => this.#byName.get(name) ?? []);
    if (indices.length < seat_ids.length) this.#at.listener.altered();
    this.#at.listener.states(indices.map((index) => ({ index, status: 'reserved', isMine: true, expiresMs })), false);
    this.#waitingForBest?.resolve(indices);
  }

  #learn({ timestamp, expires_at }: Selection): void {
    if (!timestamp || !expires_at) return;
    this.#at.clock.heard(Date.parse(timestamp));
    this.#holdMs ??= Date.parse(expires_at) - Date.parse(timestamp);
  }

  #selected(selection: Selection): void {
    this.#tell(selection, 'reserved');
    if (selection.client_id !== this.#client.clientId) return;
    this.#settle(selection.seat_id, null, this.#warningOf(selection));
    if (this.#holdMs === null) void this.#askForExpiry();
  }

  #warningOf({ stranded = [], alternatives = [] }: Selection): Warning | null {
    const indices = (names: readonly string[]): number[] => names.flatMap((name) => this.#byName.get(name) ?? []);
    return stranded.length > 0 ? { stranded: indices(stranded), alternatives: alternatives.map(indices) } : null;
  }

  /** Ask once when the guest's seats expire; from then on it is known how long the server holds a seat. */
  async #askForExpiry(): Promise<void> {
    const path = `room/${this.#room}/selections`;
    const answer = await this.#at.rest.get<{ selections: Selection[] }>(path).catch(() => null);
    // Without an answer there is no countdown; the next seat asks again.
    const selections = answer?.selections ?? [];
    for (const selection of selections) {
      const index = this.#byName.get(selection.seat_id);
      if (selection.client_id !== this.#client.clientId || index === undefined || !selection.expires_at) continue;
      this.#learn(selection);
      const expiresMs = Date.parse(selection.expires_at);
      this.#at.listener.states([{ index, status: 'reserved', isMine: true, expiresMs }], false);
    }
  }

  #tell(selection: Selection, status: SeatState['status']): void {
    const index = this.#byName.get(selection.seat_id);
    if (index === undefined) return;
    if (status === 'available' && selection.client_id === this.#client.clientId) this.#settle(selection.seat_id, null);
    const isMine = status === 'reserved' && selection.client_id === this.#client.clientId;
    const expiresMs = isMine && this.#holdMs !== null ? this.#at.clock.nowMs + this.#holdMs : null;
    this.#at.listener.states([{ index, status, isMine, expiresMs }], false);
  }

  #refused({ seat_id, code, message, request, largest, stranded = [], alternatives = [] }: Refused): void {
    if (request !== undefined) {
      this.#waitingForBest?.reject(new Refusal(code, message, 409, [], largest ?? null));
      return;
    }
    const index = seat_id === undefined ? undefined : this.#byName.get(seat_id);
    if (seat_id === undefined || index === undefined) {
      if (code === 'room_not_found') this.#at.listener.dismissed(new Refusal('screening_not_found', message));
      // The server is busy, for example.
      else setTimeout(() => this.#client.join(this.#room), REJOIN_MS);
      return;
    }
    const taken = code === 'seats_unavailable' ? [this.#at.plan.seats[index]!.id] : [];
    // The seat was already given back, which is what was wanted.
    if (code === 'not_held') this.#tell({ room_id: this.#room, seat_id, client_id: '' }, 'available');
    const ids = (names: readonly string[]): number[] =>
      names.flatMap((name) => this.#at.plan.seats[this.#byName.get(name) ?? -1]?.id ?? []);
    const refusal = new Refusal(code, message, 409, taken, null, ids(stranded), alternatives.map(ids));
    this.#settle(seat_id, code === 'not_held' ? null : refusal);
  }

  /** Seats are named as the rooms do it: row and number, with a hyphen if an earlier seat has that name. */
  #nameSeats(): void {
    this.#at.plan.seats.forEach(({ row, number }, index) => {
      let name = `${row}${number}`;
      if (this.#byName.has(name)) name = `${row}-${number}`;
      this.#names.push(name);
      this.#byName.set(name, index);
    });
  }
}

function on<Detail>(target: EventTarget, name: string, listener: (detail: Detail) => void): void {
  target.addEventListener(name, (event) => listener((event as CustomEvent<Detail>).detail));
}

function announceState(client: EventTarget, listener: SourceListener): void {
  on(client, 'cancelled', () => listener.dismissed(new Refusal('screening_cancelled', '')));
  on(client, 'state', ({ state, code, reason }: StateDetail) => {
    listener.connection(state);
    // Only a server that has ended the connection for good gives a code; a token's end has its own event.
    if (state === 'closed' && code !== undefined && code !== 1008 && code !== 4401) {
      listener.dismissed(new Refusal(code === 4404 ? 'screening_not_found' : `closed_${code}`, reason ?? ''));
    }
  });
}
