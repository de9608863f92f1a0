// The title of the window, and where the focus goes when the page changes.

import { useEffect } from 'preact/hooks';

/** Name the window after the page; empty while the name is not known. */
export function useTitle(title: string): void {
  useEffect(() => {
    document.title = title ? `${title} – Frontrow` : 'Frontrow';
  }, [title]);
}
