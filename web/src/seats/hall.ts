// Loads what a hall looks like and what its seats cost.

import { Plan, type PlanSeat } from './plan';
import type { Rest } from './rest';

const SEATS_PER_REQUEST = 10_000;

export interface Hall {
  plan: Plan;
  title: string;
  room: string;
  startsAt: string;
  /** Price by seat type. */
  prices: Map<string, number>;
}

interface Screening {
  title: string;
  room_id: number;
  room_name: string;
  starts_at: string;
}

interface RoomSeat {
  id: number;
  row_label: string;
  seat_number: number;
  seat_type: string;
  x: number;
  y: number;
}

/** Raises `Refusal`. */
export async function loadHall(rest: Rest, screening: number): Promise<Hall> {
  const [details, prices] = await Promise.all([
    rest.get<Screening>(`api/v1/screenings/${screening}`),
    rest.get<{ seat_type: string; price: number }[]>(`api/v1/screenings/${screening}/prices`),
  ]);
  const seats: PlanSeat[] = [];
  for (let page = 1, total = 1; seats.length < total; page++) {
    const answer = await rest.list<RoomSeat>(
      `api/v1/rooms/${details.room_id}/seats/?size=${SEATS_PER_REQUEST}&page=${page}`,
    );
    for (const seat of answer.entries) {
      const { id, row_label: row, seat_number: number, seat_type: type, x, y } = seat;
      seats.push({ id, row, number, type, x, y });
    }
    if (answer.entries.length === 0) break;
    total = answer.total;
  }
  return {
    plan: new Plan(seats),
    title: details.title,
    room: details.room_name,
    startsAt: details.starts_at,
    prices: new Map(prices.map(({ seat_type, price }) => [seat_type, price])),
  };
}
