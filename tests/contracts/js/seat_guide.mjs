// The seat guide's client: its Angular service and click handler, with an `http` that sends like Angular's.

import { parameters, report } from './browser.mjs';

const { token, screeningId, mySeatId, othersSeatId, soldSeatId } = parameters;

const send = async (method, address, body) => {
  const response = await fetch(address, {
    method,
    headers: {
      Authorization: `Bearer ${token}`,
      ...(body === undefined ? {} : { 'Content-Type': 'application/json' }),
    },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const answer = response.status === 204 ? null : await response.json();
  if (!response.ok) throw { status: response.status, error: answer };
  return answer;
};

const http = {
  get: (address) => send('GET', address),
  post: (address, body) => send('POST', address, body),
  delete: (address) => send('DELETE', address),
};

class SeatService {
  http = http;
  apiUrl = '/api/v1/seat-reservations';

  getAvailability(screeningId) {
    return this.http.get(`${this.apiUrl}/screening/${screeningId}/availability/me`);
  }

  toggleSeat(screeningId, seatId) {
    return this.http.post(`${this.apiUrl}/toggle`, { screening_id: screeningId, seat_id: seatId });
  }

  cancelAll(screeningId) {
    return this.http.delete(`${this.apiUrl}/cancel/${screeningId}`);
  }
}

class SeatPage {
  seatService = new SeatService();
  screeningId = screeningId;
  calls = 0;

  async onSeatClick(seat) {
    if (seat.status === 'booked' || (seat.status === 'reserved' && !seat.is_mine)) return;
    this.calls += 1;
    await this.seatService.toggleSeat(this.screeningId, seat.seat.id);
  }

  async see(seatId) {
    const seats = await this.seatService.getAvailability(this.screeningId);
    return seats.find((seat) => seat.seat.id === seatId);
  }

  ngOnDestroy() {
    return this.seatService.cancelAll(this.screeningId);
  }
}

const page = new SeatPage();
const seen = [];
const look = async () => {
  const { status, is_mine, expires_at } = await page.see(mySeatId);
  seen.push({ status, is_mine, expires: expires_at !== null });
};

await look();
await page.onSeatClick(await page.see(mySeatId));
await look();
await page.onSeatClick(await page.see(mySeatId));
await look();
await page.onSeatClick(await page.see(mySeatId));
await page.onSeatClick(await page.see(othersSeatId));
await page.onSeatClick(await page.see(soldSeatId));
const refused = await page.seatService.toggleSeat(screeningId, othersSeatId).catch((error) => error);
const cancelled = await page.ngOnDestroy();
await look();

report({ seen, calls: page.calls, refused, cancelled });
