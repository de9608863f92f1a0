// The first page: the films that can be seen.

import { answered, api } from '../api/client';
import { useLoaded } from '../common/loading';
import { Shown } from '../common/pieces';

export function WhatIsOn() {
  const movies = useLoaded(() => answered(api.GET('/api/v1/movies/')), []);
  return (
    <>
      <h1>What is on</h1>
      <Shown loaded={movies}>
        {(listed) => (
          <div class="grid">
            {listed.map((movie) => (
              <article key={movie.id} class="card stack">
                <h2>{movie.title}</h2>
                <p class="muted">{movie.description}</p>
              </article>
            ))}
          </div>
        )}
      </Shown>
    </>
  );
}
