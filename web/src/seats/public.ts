// The types that pages see; frontrow-seats.d.ts is made from this file. docs/component.md describes them.

/** `reserved` is somebody else's; a sold seat of the user's own is `booked` with `isMine`. */
export type SeatStatus = 'available' | 'reserved' | 'reserved_by_me' | 'booked';

/** What connects the component to the server's changes: `polling` without WebSockets, `closed` for good. */
export type ConnectionState = 'idle' | 'connecting' | 'live' | 'polling' | 'closed';

/** A JSON Web Token, or a function that fetches one whenever it is needed; without one the visitor is a guest. */
export type Token = string | (() => string | undefined | Promise<string | undefined>);

export interface SeatInfo {
  id: number;
  row: string;
  number: number;
  /** For example "standard", "vip" or "wheelchair". */
  type: string;
  /** Of a seat that is reserved for the user the one that was agreed then; null if the server does not tell. */
  price: number | null;
  status: SeatStatus;
  isMine: boolean;
  /** ISO 8601, by the server's clock; only of the user's own reserved seats. */
  expiresAt: string | null;
}

export interface Cart {
  screening: number;
  /** The seats that are reserved for this user or guest. */
  seats: SeatInfo[];
  /** Null if the price of a seat is unknown. */
  total: number | null;
  /** When the first of them expires, ISO 8601, by the server's clock; null for an empty cart. */
  expiresAt: string | null;
  /** The id under which a guest holds the seats; null for a user. */
  guestId: string | null;
}

export interface Problem {
  /** Stable, e.g. "hold_limit_exceeded"; "unreachable" if no answer came. */
  code: string;
  message: string;
  seats: SeatInfo[];
  /** With "no_adjacent_seats": the size of the largest party that fits. */
  largest?: number;
  /** Choices that the component offers instead, with "would_strand_seat". */
  alternatives?: SeatInfo[][];
}

/** What a party wants that asks for the best seats. */
export interface Wishes {
  seatTypes?: readonly string[];
  /** Highest price of a seat. */
  maxPrice?: number;
  /** One of the seats is to be a wheelchair place. */
  accessible?: boolean;
  /** Name of a section of the room. */
  zone?: string;
  /** If the party does not fit next to each other, two groups in neighbouring rows will do. */
  allowSplit?: boolean;
}

export interface FrontrowSeatsEvents {
  /** The hall is drawn and its seats are known. */
  ready: CustomEvent<{ screening: number; seats: number }>;
  /** The cart has changed, whatever the cause. */
  selection: CustomEvent<Cart>;
  /** Seats were reserved for the user. */
  hold: CustomEvent<{ seats: SeatInfo[] }>;
  /** The user has given seats back. */
  release: CustomEvent<{ seats: SeatInfo[] }>;
  /** With the attribute `pick`: the user has chosen a seat, which is not reserved. */
  pick: CustomEvent<{ seat: SeatInfo }>;
  /** Reservations of the user have ended without the user's doing: `early` if an operator has released them. */
  expiry: CustomEvent<{ seats: SeatInfo[]; early: boolean }>;
  /** Reservations of the user end soon, unless they are extended. */
  expiring: CustomEvent<{ seats: SeatInfo[]; expiresAt: string }>;
  /** Seats for which the user has waited are reserved for the user. */
  offered: CustomEvent<{ seats: SeatInfo[] }>;
  /** A seat is free about which the user wanted to be told. */
  free: CustomEvent<{ seat: SeatInfo }>;
  /** Seats of the user were sold to the user. */
  booked: CustomEvent<{ seats: SeatInfo[] }>;
  /** Somebody else has the seats. */
  conflict: CustomEvent<Problem>;
  /** Sales have opened or closed. */
  sales: CustomEvent<{ open: boolean }>;
  /** The seats are reserved, but the organiser would rather have others chosen: the alternatives. */
  warning: CustomEvent<Problem>;
  /** The user wants to pay; cancelable, the component does nothing by itself. */
  checkout: CustomEvent<Cart>;
  connection: CustomEvent<{ state: ConnectionState; previous: ConnectionState }>;
  /** The token was rejected, and a function for tokens had no other one. */
  unauthorized: CustomEvent<{ reason: string }>;
  error: CustomEvent<Problem>;
}

/** `<frontrow-seats server="https://tickets.example" screening="12">` */
export interface FrontrowSeatsElement extends HTMLElement {
  /** Address of the server, with its path prefix; by default the one that the script came from. */
  server: string;
  /** Id of the screening; 0 for none. */
  screening: number;
  token: Token;
  /** Under this id a guest's seats are kept; by default one is made for each tab. */
  guestId: string;
  /** Opens seats that are kept back for a channel. */
  accessCode: string;
  /** Currency of the prices (ISO 4217), e.g. "EUR"; by default prices are bare numbers. */
  currency: string;
  /** Replacements of the English texts, by name. */
  texts: Partial<Record<string, string>>;
  readonly cart: Cart;
  readonly connection: ConnectionState;
  /** All seats. */
  readonly seats: SeatInfo[];
  /** Reserve seats, all of them or none. Resolves to whether they are reserved now. */
  hold(seatIds: readonly number[]): Promise<boolean>;
  /** Reserve the best free seats that are next to each other. Resolves to whether that worked. */
  holdBest(quantity: number, wishes?: Wishes): Promise<boolean>;
  /** Give seats back, by default all. Resolves to whether that worked. */
  release(seatIds?: readonly number[]): Promise<boolean>;
  /** Extend the reservations. Resolves to whether that worked. */
  extend(minutes?: number): Promise<boolean>;
  /** Move the keyboard focus to a seat and show it. Returns whether it exists. */
  focusSeat(seatId: number): boolean;
  /** Show the whole hall. */
  showAll(): void;
  /** Connect again and load everything anew, for example after a problem. */
  reload(): void;
  addEventListener<Name extends keyof FrontrowSeatsEvents>(
    type: Name,
    listener: (this: FrontrowSeatsElement, event: FrontrowSeatsEvents[Name]) => unknown,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'frontrow-seats': FrontrowSeatsElement;
  }
}
