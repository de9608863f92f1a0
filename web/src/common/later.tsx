// Pages in files of their own, loaded when they are opened. Such a file can be missing: the network is away, or the
// server has been updated since the HTML was loaded and serves other files now.

import type { ComponentType } from 'preact';
import { unreachable } from '../api/problem';
import { useLoaded } from './loading';
import { Shown } from './pieces';

const RELOADED = 'frontrow.reloaded';
/** A page that reloads to get the files of a new release does so at most once within this time. */
const RELOAD_MS = 60_000;

/**
 * A page that is loaded when it is first shown.
 *
 * @param load imports it: `async () => (await import('./film')).FilmPage`
 */
export function later<Props extends object>(load: () => Promise<ComponentType<Props>>): ComponentType<Props> {
  let ready: ComponentType<Props> | undefined;

  async function loaded(): Promise<ComponentType<Props>> {
    try {
      ready = await load();
    } catch (error) {
      if (!(await isServerThere()) || reloadsForNewRelease()) throw unreachable();
      throw error;
    }
    return ready;
  }

  function Loading(props: Props) {
    const page = useLoaded(loaded, []);
    return <Shown loaded={page} name={document.title}>{(Page) => <Page {...props} />}</Shown>;
  }

  return function Later(props: Props) {
    const Page = ready ?? Loading;
    return <Page {...props} />;
  };
}

/** Whether the server answers, so that the file is missing or its script has failed. */
async function isServerThere(): Promise<boolean> {
  const answer = await fetch(location.href, { headers: { Accept: 'text/html' } }).catch(() => null);
  return answer?.ok ?? false;
}

/** Reload the page, unless it has done so just now. Returns whether it does. */
function reloadsForNewRelease(): boolean {
  const last = Number(sessionStorage.getItem(RELOADED) ?? 0);
  if (Date.now() - last < RELOAD_MS) return false;
  sessionStorage.setItem(RELOADED, String(Date.now()));
  location.reload();
  return true;
}
