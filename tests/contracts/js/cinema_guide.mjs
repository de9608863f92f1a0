// Calls the cinema guide's functions as its pages would.

import { parameters, report } from './browser.mjs';
import { confirmPayment, countdowns, errors, loadSeatMap, messages, reserveSeats } from './cinema_client.mjs';

const { screeningId, seatIds, takenSeatId } = parameters;

await loadSeatMap(screeningId);
const reserved = await reserveSeats(screeningId, seatIds);
const refused = await reserveSeats(screeningId, [takenSeatId]);
const bookings = [
  await confirmPayment('test_payment_123', screeningId, seatIds),
  await confirmPayment('test_payment_123', screeningId, seatIds),
];

report({ reserved, refused, bookings, messages, errors, countdown: countdowns[0] });
