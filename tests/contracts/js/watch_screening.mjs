// The socket code of both seat guides' clients: each builds its own seat map from the messages that it knows. For every
// message it prints one line: the message's type and both maps.

const [url] = process.argv.slice(2);

const cinemaGuide = {};
const seatGuide = {};
const updateSeatUI = (seatId, status) => { cinemaGuide[seatId] = status; };
const updateSeatStatus = (update) => {
  seatGuide[update.seat_id] = update.is_mine && update.status === 'reserved' ? 'reserved_by_me' : update.status;
};

const ws = new WebSocket(url);

ws.onmessage = (event) => {
  const data = JSON.parse(event.data);

  // Cinema guide, "Seat Map Page"
  switch (data.type) {
    case 'seat_update':
      updateSeatUI(data.seat_id, data.status);
      break;
    case 'bulk_seat_update':
      data.updates.forEach(update =>
        updateSeatUI(update.seat_id, update.status)
      );
      break;
  }

  // Seat guide, "WebSocket connection"
  if (data.type === 'bulk_seat_update') {
    data.updates.forEach(update => updateSeatStatus(update));
  }

  console.log(JSON.stringify({ type: data.type, cinemaGuide, seatGuide }));
};

ws.onclose = (event) => {
  console.log(JSON.stringify({ type: 'closed', code: event.code, reason: event.reason }));
};
