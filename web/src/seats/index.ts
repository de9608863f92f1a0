// The file that servers serve: importing it defines `<frontrow-seats>`, for the server that it comes from.

import { FrontrowSeats } from './frontrow_seats.js';

export type * from './public.js';

/** Served by the same server, in one of its folders. */
const SCRIPT = import.meta.url;

FrontrowSeats.home = new URL('..', SCRIPT);
FrontrowSeats.define();
