// The first page: the films of a day with their times, a search, filters, and the events.

import { useEffect, useRef, useState } from 'preact/hooks';
import { Link, useLocation, useSearch } from 'wouter-preact';
import { answered, api } from '../api/client';
import { formatDay, formatTime } from '../common/format';
import { useLoaded } from '../common/loading';
import { Shown } from '../common/pieces';
import { useTitle } from './title';
import { Cover } from './cover';
import { dayLater, dayNames, dayOf, todayIn } from './days';
import { amongNext, filmsOf, formatLength, nextShowtimes, showtimesOf, type Film, type Movie, type Showtime } from './films';
import { Times } from './times';

const DAYS_SHOWN = 7;

export function WhatIsOn() {
  useTitle('What is on');
  const query = new URLSearchParams(useSearch());
  const search = query.get('q')?.trim() ?? '';
  // What stands below the films comes after them, so that nothing moves.
  const [ready, setReady] = useState(false);
  return (
    <>
      <div class="masthead stack">
        <h1>{search ? `Films like “${search}”` : 'What is on'}</h1>
        <Search text={search} />
      </div>
      {search ? <Found text={search} /> : <Days query={query} ready={() => setReady(true)} />}
      {!search && ready && <Events />}
    </>
  );
}

function Search({ text }: { text: string }) {
  const [, navigate] = useLocation();
  return (
    <form
      role="search"
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        const words = String(new FormData(event.currentTarget).get('q') ?? '').trim();
        navigate(words ? `/?q=${encodeURIComponent(words)}` : '/');
      }}
    >
      <input class="input" type="search" name="q" aria-label="Search films by title or director" placeholder="Title or director" maxLength={100} defaultValue={text} key={text} />
      <button type="submit" class="button button-quiet">
        Search
      </button>
    </form>
  );
}

function Found({ text }: { text: string }) {
  const found = useLoaded(
    () => answered(api.GET('/api/v1/movies/search', { params: { query: { q: text, size: 24 } } })),
    [text],
  );
  return (
    <Shown loaded={found}>
      {(movies) =>
        movies.length === 0 ? (
          <p class="empty">
            No film matches. <Link href="/">See what is on</Link>
          </p>
        ) : (
          <ul class="films">
            {movies.map((movie) => (
              <li key={movie.id} class="film">
                <Cover title={movie.title} poster={movie.poster_url ?? null} />
                <div class="stack">
                  <h2>
                    <Link href={`/films/${movie.id}`}>{movie.title}</Link>
                  </h2>
                  <Facts movie={movie} />
                  <p class="muted">{movie.description}</p>
                </div>
              </li>
            ))}
          </ul>
        )
      }
    </Shown>
  );
}

/** @param ready is called once there is nothing more to come */
function Days({ query, ready }: { query: URLSearchParams; ready: () => void }) {
  const next = useLoaded(nextShowtimes, []);
  useEffect(() => {
    if (next.problem || next.data?.length === 0) ready();
  }, [next.problem, next.data]);
  return (
    <Shown loaded={next}>
      {(listed) =>
        listed.length === 0 ? (
          <p class="empty">Nothing is planned at the moment. Please come back later.</p>
        ) : (
          <Programme next={listed} query={query} ready={ready} />
        )
      }
    </Shown>
  );
}

function Programme({ next, query, ready }: { next: Showtime[]; query: URLSearchParams; ready: () => void }) {
  const [, navigate] = useLocation();
  const today = todayIn(next[0]!.time_zone);
  const firstDay = next[0]!.starts_at_local.slice(0, 10);
  // The row of days begins today, unless the first showtime is later than it reaches.
  const begin = firstDay < dayLater(today, DAYS_SHOWN)! ? today : firstDay;
  const days = Array.from({ length: DAYS_SHOWN }, (_, number) => dayLater(begin, number)!);
  const day = dayOf(query.get('day') ?? '') ?? firstDay;
  const cinema = Number(query.get('cinema')) || undefined;
  const language = query.get('language') ?? undefined;
  // The first day needs no request of its own.
  const fresh = useRef<Showtime[] | null>(next);
  const films = useLoaded(async () => {
    const known = !cinema && !language && fresh.current && amongNext(fresh.current, day);
    fresh.current = null;
    return filmsOf(known || (await showtimesOf({ day, cinema, language })));
  }, [day, cinema, language]);
  useEffect(() => {
    if (films.problem || films.data) ready();
  }, [films.problem, films.data]);

  function changed(name: string, value: string): string {
    const changes = new URLSearchParams(query);
    if (value) changes.set(name, value);
    else changes.delete(name);
    const text = changes.toString();
    return text ? `/?${text}` : '/';
  }

  return (
    <section class="stack" aria-label="Films by day">
      <nav class="days" aria-label="Days">
        {days.map((one) => {
          const [name, date] = dayNames(one, today);
          return (
            <Link key={one} href={changed('day', one)} class="day" aria-current={one === day ? 'date' : undefined}>
              <b>{name}</b>
              <span>{date}</span>
            </Link>
          );
        })}
      </nav>
      <Filters cinema={cinema} language={language} languages={languagesOf(next)} change={(name, value) => navigate(changed(name, value), { replace: true })} />
      <Shown loaded={films}>
        {(listed) =>
          listed.length === 0 ? (
            <p class="empty">
              Nothing is left on this day.{' '}
              {cinema || language ? <Link href={`/?day=${day}`}>Remove the filters</Link> : 'Choose another one.'}
            </p>
          ) : (
            <ul class="films">
              {listed.map((film) => (
                <FilmEntry key={film.key} film={film} />
              ))}
            </ul>
          )
        }
      </Shown>
    </section>
  );
}

/** The languages of showtimes, in alphabetical order. */
function languagesOf(showtimes: readonly Showtime[]): string[] {
  return [...new Set(showtimes.map(({ language }) => language).filter(Boolean))].sort((one, other) => one.localeCompare(other));
}

function Filters({
  cinema,
  language,
  languages,
  change,
}: {
  cinema: number | undefined;
  language: string | undefined;
  languages: readonly string[];
  change: (name: string, value: string) => void;
}) {
  const cinemas = useLoaded(() => answered(api.GET('/api/v1/cinemas/', { params: { query: { size: 100 } } })), []);
  // A link may name a language that nothing is in.
  const offered = language && !languages.includes(language) ? [language, ...languages] : languages;
  return (
    <form class="filters" aria-label="Filters" onSubmit={(event) => event.preventDefault()}>
      <label>
        <span>Cinema</span>
        <select class="input" value={cinema ?? ''} onChange={(event) => change('cinema', event.currentTarget.value)}>
          <option value="">All cinemas</option>
          {cinemas.data?.map(({ id, name, city }) => (
            <option key={id} value={id}>
              {city ? `${name}, ${city}` : name}
            </option>
          ))}
        </select>
      </label>
      {offered.length > 0 && (
        <label>
          <span>Language</span>
          <select class="input" value={language ?? ''} onChange={(event) => change('language', event.currentTarget.value)}>
            <option value="">All languages</option>
            {offered.map((one) => (
              <option key={one} value={one}>
                {one}
              </option>
            ))}
          </select>
        </label>
      )}
    </form>
  );
}

function FilmEntry({ film }: { film: Film }) {
  const { movie } = film;
  return (
    <li class="film">
      <Cover title={film.title} poster={film.poster} />
      <div class="stack">
        <h2>{movie ? <Link href={`/films/${movie.id}`}>{film.title}</Link> : film.title}</h2>
        {movie && <Facts movie={movie} />}
        {movie?.description && <p class="muted clamp">{movie.description}</p>}
        <Times showtimes={film.showtimes} title={film.title} />
      </div>
    </li>
  );
}

/** Genre, length, age rating and language of a film. */
export function Facts({ movie }: { movie: Movie }) {
  const facts = [
    movie.genre,
    movie.duration_minutes ? formatLength(movie.duration_minutes) : '',
    movie.language,
  ].filter(Boolean);
  return (
    <p class="facts">
      <span>{facts.join(' · ')}</span>
      {movie.rating && <span class="badge">{movie.rating}</span>}
    </p>
  );
}

function Events() {
  const events = useLoaded(async () => (await answered(api.GET('/api/public/events', { params: { query: { limit: 12 } } }))).data, []);
  if (events.data?.length === 0) return null;
  return (
    <section class="stack" aria-labelledby="events">
      <h2 id="events" class="section">
        Events
      </h2>
      <Shown loaded={events}>
        {(listed) => (
          <ul class="grid plain">
            {listed.map((event) => (
              <li key={event.id} class="card card-cover">
                <Cover title={event.title} wide />
                <div class="stack">
                  <h3>
                    <Link href={`/events/${event.id}`} class="cover-link">
                      {event.title}
                    </Link>
                  </h3>
                  <p class="muted">
                    {formatDay(event.startDate, event.timeZone)}, {formatTime(event.startDate, event.timeZone)} · {event.venue}
                  </p>
                  {event.closed && <span class="badge badge-bad">Sale has ended</span>}
                </div>
              </li>
            ))}
          </ul>
        )}
      </Shown>
    </section>
  );
}
