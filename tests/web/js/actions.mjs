// Functions that the end-to-end tests call in a page and in Node; `frontrow` is already defined.

globalThis.watch = (url, screeningId, tokens, limits) => {
  // Each token but the last is used once.
  const token = () => (tokens.length > 1 ? tokens.shift() : tokens[0]);
  const client = new frontrow.ScreeningClient(url, screeningId, token, { limits });
  const seen = { states: [], opens: [], snapshots: 0, unauthorized: [], mismatches: 0, ended: null };
  client.addEventListener('mismatch', ({ detail }) => (seen.mismatches = detail.mismatches));
  client.addEventListener('state', ({ detail }) => {
    seen.states.push(detail.state);
    if (detail.state === 'closed') seen.ended = detail;
  });
  client.addEventListener('open', ({ detail }) => seen.opens.push(detail.resumed));
  client.addEventListener('snapshot', () => (seen.snapshots += 1));
  client.addEventListener('unauthorized', ({ detail }) => seen.unauthorized.push(detail.reason));
  client.addEventListener('error', ({ detail }) => console.log(`${detail.name}: ${detail.message}`));
  client.open();
  Object.assign(globalThis, { client, seen });
};

globalThis.picture = () =>
  [...client.seats.values()].map(({ seat_id, status, is_mine }) => [seat_id, status, is_mine]);

globalThis.follow = (url, eventIds, token, limits) => {
  const client = new frontrow.EventClient(url, token, { limits });
  const seen = { bookings: [], refused: [] };
  client.addEventListener('booking', ({ detail }) => seen.bookings.push([detail.eventId, detail.cancelled]));
  client.addEventListener('refused', ({ detail }) => seen.refused.push([detail.eventId, detail.code]));
  client.addEventListener('error', ({ detail }) => console.log(`${detail.name}: ${detail.message}`));
  for (const eventId of eventIds) client.subscribe(eventId);
  client.open();
  Object.assign(globalThis, { client, seen });
};

globalThis.left = (eventId) => client.counts.get(eventId)?.availableSeats;

globalThis.enter = (url, clientId, roomId, limits) => {
  const client = new frontrow.RoomClient(url, clientId, { limits });
  const seen = { refused: [], joined: 0 };
  client.addEventListener('joined', () => (seen.joined += 1));
  client.addEventListener('refused', ({ detail }) => seen.refused.push(detail.seat_id));
  client.addEventListener('error', ({ detail }) => console.log(`${detail.name}: ${detail.message}`));
  client.join(roomId);
  client.open();
  Object.assign(globalThis, { client, seen, roomId });
};

globalThis.selected = () =>
  [...client.selections(roomId).values()].map(({ seat_id, client_id }) => `${seat_id} ${client_id}`).sort().join();
