// A film: what it is about, and when and where it can be seen.

import { Link } from 'wouter-preact';
import { answered, api } from '../api/client';
import { useLoaded } from '../common/loading';
import { Shown } from '../common/pieces';
import { Cover } from './cover';
import { byDay, dayNames, todayIn } from './days';
import { useTitle } from './title';
import { Times } from './times';
import { Facts } from './what_is_on';

const SHOWTIMES_SHOWN = 100;
const CAST_SHOWN = 8;

export function FilmPage({ id }: { id: number }) {
  const path = { movie_id: id };
  const film = useLoaded(() => answered(api.GET('/api/v1/movies/{movie_id}', { params: { path } })), [id]);
  const showtimes = useLoaded(
    () => answered(api.GET('/api/v1/movies/{movie_id}/showtimes', { params: { path, query: { size: SHOWTIMES_SHOWN } } })),
    [id],
  );
  const cast = useLoaded(() => answered(api.GET('/api/v1/casts/movie/{movie_id}', { params: { path } })), [id]);
  useTitle(film.data?.title ?? '');
  if (film.problem?.status === 404) return <Gone />;
  return (
    <Shown loaded={film} name="Film">
      {(movie) => (
        <article class="film film-page">
          <Cover title={movie.title} poster={movie.poster_url ?? null} />
          <div class="stack">
            <h1>{movie.title}</h1>
            <Facts movie={movie} />
            <p class="lead">{movie.description}</p>
            {movie.director && <p class="muted">Directed by {movie.director}</p>}
            {cast.data && cast.data.length > 0 && (
              <p class="muted">
                With {cast.data.slice(0, CAST_SHOWN).map(({ name }) => name).join(', ')}
              </p>
            )}
            <h2 class="section">Times</h2>
            <Shown loaded={showtimes}>
              {(listed) =>
                listed.length === 0 ? (
                  <p class="empty">This film is not on at the moment.</p>
                ) : (
                  byDay(listed).map(([day, ofDay]) => {
                    const [name, date] = dayNames(day, todayIn(ofDay[0]!.time_zone));
                    return (
                      <section key={day} class="stack" aria-label={`${name} ${date}`}>
                        <h3>
                          {name} <span class="muted">{date}</span>
                        </h3>
                        <Times showtimes={ofDay} title={movie.title} />
                      </section>
                    );
                  })
                )
              }
            </Shown>
          </div>
        </article>
      )}
    </Shown>
  );
}

function Gone() {
  useTitle('Film not found');
  return (
    <>
      <h1>This film is not in the programme</h1>
      <p>
        <Link href="/">See what is on</Link>
      </p>
    </>
  );
}
