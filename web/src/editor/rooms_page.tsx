// The page at /ops/rooms: all rooms by cinema, and a form for a new one.

import { useState } from 'preact/hooks';
import { Link, useLocation } from 'wouter-preact';
import { answered, api } from '../api/client';
import { Problem } from '../api/problem';
import type { components } from '../api/schema';
import { useLoaded } from '../common/loading';
import { Field, ProblemNotice, Shown } from '../common/pieces';
import './editor.css';
import { Choice } from './fields';

type Cinema = components['schemas']['Cinema'];
type Room = components['schemas']['Room'];

interface Place {
  cinema: Cinema;
  rooms: Room[];
}

const PAGE_SIZE = 100;
const NEW_CINEMA = 'new';

/** Every entry of a list of the API. */
async function all<Entry>(page: (number: number) => Promise<Entry[]>): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (let number = 1; ; number++) {
    const some = await page(number);
    entries.push(...some);
    if (some.length < PAGE_SIZE) return entries;
  }
}

async function load(): Promise<Place[]> {
  const cinemas = await all((page) => answered(api.GET('/api/v1/cinemas/', { params: { query: { page, size: PAGE_SIZE } } })));
  return Promise.all(
    cinemas.map(async (cinema) => ({
      cinema,
      rooms: await all((page) =>
        answered(
          api.GET('/api/v1/cinemas/{cinema_id}/rooms/', {
            params: { path: { cinema_id: cinema.id }, query: { page, size: PAGE_SIZE } },
          }),
        ),
      ),
    })),
  );
}

export function RoomsPage() {
  const loaded = useLoaded(load, []);
  return (
    <>
      <h1>Rooms</h1>
      <Shown loaded={loaded}>
        {(places) => (
          <>
            {places.map(({ cinema, rooms }) => (
              <section key={cinema.id} class="stack" aria-label={cinema.name}>
                <h2>{cinema.name}</h2>
                {rooms.length === 0 ? (
                  <p class="muted">This cinema has no rooms yet.</p>
                ) : (
                  <ul class="grid editor-rooms">
                    {rooms.map((room) => (
                      <li key={room.id}>
                        <Link class="card editor-room" href={`/ops/rooms/${room.id}`}>
                          <strong>{room.name}</strong>
                          <span class="muted">{room.seat_count === 0 ? 'No seats yet' : `${room.seat_count} seats`}</span>
                        </Link>
                      </li>
                    ))}
                  </ul>
                )}
              </section>
            ))}
            <NewRoom cinemas={places.map(({ cinema }) => cinema)} />
          </>
        )}
      </Shown>
    </>
  );
}

function NewRoom({ cinemas }: { cinemas: readonly Cinema[] }) {
  const [, go] = useLocation();
  const [name, setName] = useState('');
  const [place, setPlace] = useState(String(cinemas[0]?.id ?? NEW_CINEMA));
  const [cinemaName, setCinemaName] = useState('');
  const [problem, setProblem] = useState<Problem | null>(null);
  const [isBusy, setBusy] = useState(false);

  const create = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      let cinemaId = Number(place);
      if (place === NEW_CINEMA) {
        ({ id: cinemaId } = await answered(api.POST('/api/v1/cinemas/', { body: { name: cinemaName } })));
        setPlace(String(cinemaId));
      }
      const params = { path: { cinema_id: cinemaId } };
      const room = await answered(api.POST('/api/v1/cinemas/{cinema_id}/rooms/', { params, body: { name } }));
      go(`/ops/rooms/${room.id}`);
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      setProblem(error);
    } finally {
      setBusy(false);
    }
  };

  const options = Object.fromEntries([...cinemas.map(({ id, name: its }) => [String(id), its]), [NEW_CINEMA, 'Another cinema…']]);
  return (
    <section class="card stack" aria-labelledby="new-room">
      <h2 id="new-room">New room</h2>
      <form class="stack" onSubmit={(event) => void create(event)}>
        <div class="editor-pair">
          <Choice label="Cinema" value={place} options={options} set={setPlace} />
          {place === NEW_CINEMA && (
            <Field
              label="Name of the cinema"
              value={cinemaName}
              required
              maxLength={200}
              onInput={({ currentTarget }) => setCinemaName(currentTarget.value)}
            />
          )}
          <Field
            label="Name of the room"
            value={name}
            required
            maxLength={100}
            errors={problem?.errors.name}
            onInput={({ currentTarget }) => setName(currentTarget.value)}
          />
        </div>
        {problem && !problem.errors.name && <ProblemNotice problem={problem} />}
        <div>
          <button type="submit" class="button" disabled={isBusy}>
            Create and draw
          </button>
        </div>
      </form>
    </section>
  );
}
