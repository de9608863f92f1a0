// The frame of every page: the bar at the top, a way past it for keyboards, and news about the log-in.

import type { ComponentChildren } from 'preact';
import { useEffect, useErrorBoundary } from 'preact/hooks';
import { Link, Router } from 'wouter-preact';
import { PREFIX } from './base';
import { useLoaded } from './loading';
import { LogInLink, Notice, ProblemNotice } from './pieces';
import { loadUser, logOut, loggedOutElsewhere, user } from './session';

/**
 * A page with its bar.
 *
 * @param home the path that the name leads to
 * @param links what stands in the bar
 */
export function Frame({
  home,
  name,
  links,
  children,
}: {
  home: string;
  name: string;
  links: ComponentChildren;
  children: ComponentChildren;
}) {
  const known = useLoaded(loadUser, []);
  const [defect] = useErrorBoundary((error) => reportError(error));
  useEffect(keepFocus, []);
  return (
    <Router base={PREFIX}>
      <a
        class="visually-hidden"
        href="#content"
        onClick={(event) => {
          // The page has a <base>, so the plain link would leave it.
          event.preventDefault();
          document.getElementById('content')?.focus();
        }}
      >
        Skip to the content
      </a>
      <header class="bar">
        <nav class="bar-content" aria-label="Main">
          <Link href={home} class="brand">
            <img src="favicon.svg" alt="" />
            {name}
          </Link>
          {links}
          <Account />
        </nav>
      </header>
      <main id="content" class="page stack" tabIndex={-1}>
        {loggedOutElsewhere.value && <Notice>You have been logged out. Log in again to go on.</Notice>}
        {user.value === undefined && known.problem && (
          <ProblemNotice problem={known.problem} retry={known.reload} />
        )}
        {defect ? <Failed /> : children}
      </main>
    </Router>
  );
}

/**
 * When what has the focus goes, or can no longer have it, browsers put it on the body: keyboards start again at the
 * top, and screen readers say nothing. Put it on the content instead.
 */
function keepFocus(): () => void {
  let last: Element | null = null;
  const remember = ({ target }: FocusEvent): void => {
    last = target as Element;
  };
  const look = (): void => {
    if (document.activeElement !== document.body || !last || (last.isConnected && !last.matches(':disabled'))) return;
    last = null;
    document.getElementById('content')?.focus({ preventScroll: true });
  };
  const changes = new MutationObserver(look);
  changes.observe(document.body, { childList: true, subtree: true, attributeFilter: ['disabled'] });
  addEventListener('focusin', remember);
  return () => {
    changes.disconnect();
    removeEventListener('focusin', remember);
  };
}

/** Instead of a page whose code has thrown an error. */
function Failed() {
  return (
    <>
      <h1>This page has failed</h1>
      <p>That is our fault. Your seats and tickets are safe.</p>
      <p>
        <button type="button" class="button" onClick={() => location.reload()}>
          Reload the page
        </button>
      </p>
    </>
  );
}

function Account() {
  if (user.value === null) return <LogInLink />;
  // Until it is known who this is, the button keeps its place.
  return (
    <button type="button" class={`button button-quiet ${user.value ? '' : 'unseen'}`} onClick={() => void logOut()}>
      Log out
    </button>
  );
}
