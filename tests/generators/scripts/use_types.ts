// Buys seats with the types that openapi-typescript makes. That it compiles is half of the test.
import type { components, paths } from "./schema";

declare const process: { argv: string[] };

type Schemas = components["schemas"];
type Answer<Path extends keyof paths, Method extends keyof paths[Path], Status extends number> =
  paths[Path][Method] extends { responses: Record<Status, { content: { "application/json": infer Body } }> }
    ? Body
    : never;

const [baseUrl, email, password] = process.argv.slice(2) as [string, string, string];

async function call<Body>(method: string, path: string, body?: object, token?: string): Promise<Body> {
  const headers: Record<string, string> = { "Content-Type": "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  const answer = await fetch(baseUrl + path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
  return (await answer.json()) as Body;
}

// What may be left out need not be given.
const registration: Schemas["Registration"] = { email, password };
await call<Answer<"/api/v1/auth/register", "post", 201>>("POST", "/api/v1/auth/register", registration);
const login: Schemas["PasswordLogin"] = { email, password };
const tokens = await call<Answer<"/api/v1/auth/login", "post", 200>>("POST", "/api/v1/auth/login", login);

type Availability = Answer<
  "/api/v1/seat-reservations/screening/{screening_id}/availability",
  "get",
  200
>;
const seats = await call<Availability>("GET", "/api/v1/seat-reservations/screening/123/availability");
const [first, second] = seats.filter((seat) => seat.status === "available");
if (!first || !second) throw new Error("no seats are free");

const selection: Schemas["SeatSelection"] = { screening_id: 123, seat_ids: [first.seat.id, second.seat.id] };
const held = await call<Answer<"/api/v1/seat-reservations/reserve", "post", 201>>(
  "POST",
  "/api/v1/seat-reservations/reserve",
  selection,
  tokens.access_token,
);
const seatIds = held.reservations.map((reservation) => reservation.seat_id);
const booking: Schemas["Booking"] = { screening_id: 123, seat_ids: seatIds };
const tickets = await call<Answer<"/api/v1/tickets/book", "post", 201>>(
  "POST",
  "/api/v1/tickets/book",
  booking,
  tokens.access_token,
);
console.log(JSON.stringify(tickets.map((ticket: Schemas["Ticket"]) => [ticket.seat_id, ticket.status])));
