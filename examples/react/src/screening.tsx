// A seat map in React 19: properties and listeners are given like those of any other element.

import type { Cart, FrontrowSeatsElement } from 'frontrow/react';
import 'frontrow/react';
import { useRef, useState } from 'react';

function describe({ seats, total }: Cart): string {
  const names = seats.map(({ row, number }) => row + number);
  return names.length > 0 ? `${names.join(', ')}: ${total} EUR` : 'No seats yet';
}

export function Screening({ server, screening }: { server: string; screening: number }) {
  const hall = useRef<FrontrowSeatsElement>(null);
  const [status, setStatus] = useState('No seats yet');
  return (
    <main>
      <h1>Choose your seats</h1>
      <p role="status">{status}</p>
      <button type="button" onClick={() => hall.current?.holdBest(2)}>
        Best two seats
      </button>
      <frontrow-seats
        ref={hall}
        server={server}
        screening={screening}
        currency="EUR"
        onselection={({ detail }) => setStatus(describe(detail))}
        onconflict={({ detail }) => setStatus(detail.message)}
        oncheckout={({ detail }) => setStatus(`To pay: ${detail.total} EUR`)}
      />
    </main>
  );
}
