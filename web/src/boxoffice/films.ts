// What is on: showtimes of a day, and the films that belong to them.

import { answered, api } from '../api/client';
import type { components } from '../api/schema';
import { Problem } from '../api/problem';
import { dayLater, type Day } from './days';

export type Showtime = components['schemas']['Showtime'];
export type Movie = components['schemas']['Movie'];

const PAGE_SIZE = 100;
/** More showtimes of one day than this are not shown; the filters narrow them down. */
const PAGES_LIMIT = 10;

export interface Wanted {
  day: Day;
  cinema?: number | undefined;
  language?: string | undefined;
}

/** The showtimes of a day that are still to come, earliest first. */
export async function showtimesOf(wanted: Wanted): Promise<Showtime[]> {
  const query = {
    date: wanted.day,
    size: PAGE_SIZE,
    ...(wanted.cinema ? { cinema_id: wanted.cinema } : {}),
    ...(wanted.language ? { language: wanted.language } : {}),
  };
  const found: Showtime[] = [];
  for (let page = 1; page <= PAGES_LIMIT; page++) {
    const entries = await answered(api.GET('/api/v1/showtimes/', { params: { query: { ...query, page } } }));
    found.push(...entries);
    if (entries.length < PAGE_SIZE) break;
  }
  return found;
}

/** The next showtimes, earliest first. */
export function nextShowtimes(): Promise<Showtime[]> {
  return answered(api.GET('/api/v1/showtimes/', { params: { query: { size: PAGE_SIZE } } }));
}

/** Those of the next showtimes that are on a day; null if there may be more on that day. */
export function amongNext(next: readonly Showtime[], day: Day): Showtime[] | null {
  const last = next.at(-1);
  // Elsewhere the day may last for another day.
  if (next.length === PAGE_SIZE && last && dayLater(last.starts_at_local.slice(0, 10), -1)! <= day) return null;
  return next.filter(({ starts_at_local }) => starts_at_local.startsWith(day));
}

const movies = new Map<number, Promise<Movie | null>>();

/** A film, asked for once; null if it is gone. */
export function movieOf(id: number): Promise<Movie | null> {
  const known = movies.get(id);
  if (known) return known;
  const asked = answered(api.GET('/api/v1/movies/{movie_id}', { params: { path: { movie_id: id } } })).catch(
    (problem: unknown) => {
      if (problem instanceof Problem && problem.status === 404) return null;
      movies.delete(id);
      throw problem;
    },
  );
  movies.set(id, asked);
  return asked;
}

export interface Film {
  key: string;
  title: string;
  poster: string | null;
  movie: Movie | null;
  showtimes: Showtime[];
}

/** Showtimes by film, in the order of the films' first showtimes. */
export async function filmsOf(showtimes: readonly Showtime[]): Promise<Film[]> {
  const films = new Map<string, Film>();
  for (const showtime of showtimes) {
    const key = showtime.movie_id === null ? `title ${showtime.title}` : String(showtime.movie_id);
    const film = films.get(key);
    if (film) film.showtimes.push(showtime);
    else films.set(key, { key, title: showtime.title, poster: showtime.poster_url, movie: null, showtimes: [showtime] });
  }
  await Promise.all(
    [...films.values()].map(async (film) => {
      const id = film.showtimes[0]!.movie_id;
      if (id === null) return;
      film.movie = await movieOf(id);
      film.title = film.movie?.title ?? film.title;
    }),
  );
  return [...films.values()];
}

/** The length of a film, e.g. "1 h 58 min". */
export function formatLength(minutes: number): string {
  const hours = Math.floor(minutes / 60);
  return [hours && `${hours} h`, minutes % 60 && `${minutes % 60} min`].filter(Boolean).join(' ');
}

/** How many seats are left, in a word; empty if there are plenty. */
export function seatsLeft({ available_seats, total_seats }: Showtime): '' | 'Sold out' | 'Few seats left' {
  if (total_seats > 0 && available_seats <= 0) return 'Sold out';
  return available_seats <= Math.max(5, total_seats * 0.05) ? 'Few seats left' : '';
}
