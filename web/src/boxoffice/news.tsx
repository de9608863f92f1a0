// What may happen to a screening or an event while somebody is buying: it is moved, cancelled or deleted.

import { useEffect, useRef, useState } from 'preact/hooks';
import { ScreeningClient } from '../../client/index.js';
import { PREFIX, SERVER } from '../common/base';
import { formatDay, formatTime } from '../common/format';
import { Notice } from '../common/pieces';
import { customerToken } from './customer';

/** What a page about a screening is told. */
interface ScreeningNews {
  /** It has another time, price or room. */
  altered: () => void;
  /** The venue has cancelled or deleted it. */
  cancelled: () => void;
}

/** Listen to what happens to a screening. */
export function useScreeningNews(id: number, news: ScreeningNews): void {
  const latest = useRef(news);
  latest.current = news;
  useEffect(() => {
    const client = new ScreeningClient(SERVER, id, customerToken);
    client.addEventListener('altered', () => latest.current.altered());
    client.addEventListener('cancelled', () => latest.current.cancelled());
    client.open();
    return () => client.close();
  }, [id]);
}

/**
 * Says that something begins at another time than when this tab first showed it, also after a reload.
 *
 * @param id of the screening or event
 * @param kept what stays as it was
 */
export function MovedNotice({ id, startsAt, timeZone, kept }: { id: number; startsAt: string; timeZone: string; kept: string }) {
  const key = `frontrow.start${PREFIX} ${id}`;
  const [first] = useState(() => {
    const known = sessionStorage.getItem(key) ?? startsAt;
    sessionStorage.setItem(key, known);
    return known;
  });
  if (first === startsAt) return null;
  return (
    <Notice>
      This was moved: it begins on {formatDay(startsAt, timeZone)}, {formatTime(startsAt, timeZone)}, and no longer on{' '}
      {formatDay(first, timeZone)}, {formatTime(first, timeZone)}. {kept}
    </Notice>
  );
}
