// What the end-to-end tests do with the client, the same in a page and under Node: `frontrow` is there already.

globalThis.watch = (url, screeningId, tokens, limits) => {
  // All but the last token are given out once.
  const token = () => (tokens.length > 1 ? tokens.shift() : tokens[0]);
  const client = new frontrow.ScreeningClient(url, screeningId, token, { limits });
  const seen = { states: [], opens: [], snapshots: 0, unauthorized: [], ended: null };
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
