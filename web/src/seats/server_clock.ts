// The server's time, from timestamps in its answers and a clock of the browser that nobody sets.

const KEPT = 8;

export class ServerClock {
  #monotonicMs: () => number;
  #offsetsMs: number[] = [];

  /** @param monotonicMs milliseconds since any fixed time */
  constructor(monotonicMs: () => number = () => performance.now()) {
    this.#monotonicMs = monotonicMs;
  }

  /**
   * The server's time was this a short while ago.
   *
   * @param serverMs milliseconds since 1970
   */
  heard(serverMs: number): void {
    if (!Number.isFinite(serverMs)) return;
    this.#offsetsMs.push(serverMs - this.#monotonicMs());
    if (this.#offsetsMs.length > KEPT) this.#offsetsMs.shift();
  }

  /** Milliseconds since 1970. Before the first answer, the time of this computer. */
  get nowMs(): number {
    if (this.#offsetsMs.length === 0) return Date.now();
    // Every timestamp is late by the time that its answer took, so the largest offset is the best one.
    return this.#monotonicMs() + Math.max(...this.#offsetsMs);
  }
}

/** Milliseconds as m:ss, rounded up so that 0:00 means the end. */
export function minutesAndSeconds(ms: number): string {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}
