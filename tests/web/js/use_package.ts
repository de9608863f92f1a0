// A program that uses the package as its types allow: it reserves a seat over REST and sees it over the socket.

import { DEFAULT_LIMITS, ScreeningClient, type Seat } from 'frontrow';
import { answered, Problem, restClient } from 'frontrow/rest';
import 'frontrow/seats';
import type { Cart } from 'frontrow/seats';

declare const process: { argv: string[] };
const [server = '', token = '', screening = '', seat = ''] = process.argv.slice(2);
const rest = restClient(server, { token: () => token });
const client = new ScreeningClient(server, Number(screening), () => token, { limits: { pollMs: DEFAULT_LIMITS.pollMs } });

const mine = new Promise<Seat>((resolve) => {
  client.addEventListener('seats', ({ detail }) => {
    const found = detail.changed.find(({ is_mine }) => is_mine);
    if (found) resolve(found);
  });
});
const open = new Promise<boolean>((resolve) => client.addEventListener('open', ({ detail }) => resolve(detail.resumed)));
client.open();
await open;

const body = { screening_id: Number(screening), seat_ids: [Number(seat)] };
const headers = { 'Idempotency-Key': 'the-same' };
const first = await answered(rest.POST('/api/v1/seat-reservations/reserve', { body, headers }));
const again = await answered(rest.POST('/api/v1/seat-reservations/reserve', { body, headers }));
const { seat_id, status } = await mine;
client.close();

const path = { screening_id: 0 };
const problem = await answered(rest.GET('/api/v1/screenings/{screening_id}', { params: { path } })).catch((error) => error);
const cart: Pick<Cart, 'guestId'> = { guestId: null };

// @ts-expect-error: there is no such event
client.addEventListener('seats', ({ detail }) => detail.nothing);
// @ts-expect-error: there is no such path
void (() => rest.GET('/api/v1/nothing'));

const same = first.reservations[0]?.expires_at === again.reservations[0]?.expires_at;
console.log(JSON.stringify([seat_id, status, same, problem instanceof Problem && problem.code, cart.guestId]));
