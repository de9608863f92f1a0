// The id of a guest: one per tab and screening, so that a reload finds the guest's seats again.

const inUse = new Set<string>();

/** @param screening the id is kept for it in this tab */
export async function guestIdFor(base: URL, screening: number): Promise<string> {
  const key = `frontrow-guest ${base.href} ${screening}`;
  const kept = read(key);
  // A duplicated tab starts with the same id, but the server admits each id only once.
  if (kept !== null && (await claim(kept))) return kept;
  const fresh = `guest-${randomName()}`;
  await claim(fresh);
  write(key, fresh);
  return fresh;
}

/** A name that nobody else has. Pages that are not secure have no `crypto.randomUUID`. */
export function randomName(): string {
  return crypto.getRandomValues(new Uint32Array(4)).reduce((text, part) => text + part.toString(36), '');
}

/** Returns whether nobody else in this browser uses an id. It remains claimed as long as the page is open. */
async function claim(id: string): Promise<boolean> {
  if (inUse.has(id)) return false;
  inUse.add(id);
  // Pages that are not secure have no locks; there a duplicated tab waits until the first one is closed.
  if (!globalThis.isSecureContext || !('locks' in navigator)) return true;
  return new Promise((resolve) => {
    void navigator.locks.request(`frontrow ${id}`, { ifAvailable: true }, (lock) => {
      resolve(lock !== null);
      return lock === null ? undefined : new Promise(() => undefined);
    });
  });
}

function read(key: string): string | null {
  try {
    return sessionStorage.getItem(key);
  } catch {
    return null;
  }
}

function write(key: string, value: string): void {
  try {
    sessionStorage.setItem(key, value);
  } catch {
    // Without storage a reload makes another guest.
  }
}
