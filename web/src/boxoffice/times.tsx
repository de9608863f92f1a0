// Showtimes as links to their halls.

import { Link } from 'wouter-preact';
import { formatPrice, timeAndZone } from '../common/format';
import { seatsLeft, type Showtime } from './films';

/**
 * Links to the halls of showtimes.
 *
 * @param title of the film, for readers who hear the links one by one
 */
export function Times({ showtimes, title }: { showtimes: readonly Showtime[]; title: string }) {
  const cinemas = new Set(showtimes.map(({ cinema_id }) => cinema_id));
  return (
    <ul class="times">
      {showtimes.map((showtime) => {
        const left = seatsLeft(showtime);
        const [time, zone] = timeAndZone(showtime.starts_at, showtime.time_zone);
        const place = cinemas.size > 1 ? `${showtime.cinema_name}, ${showtime.room_name}` : showtime.room_name;
        return (
          <li key={showtime.id}>
            <Link href={`/screenings/${showtime.id}`} class={`time ${left === 'Sold out' ? 'time-sold-out' : ''}`}>
              <span class="visually-hidden">{title}, </span>
              <b>{time}</b>
              {zone && <small>{zone}</small>}
              <span>{place}</span>
              {left ? <small class="left">{left}</small> : <small>{formatPrice(showtime.price)}</small>}
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
