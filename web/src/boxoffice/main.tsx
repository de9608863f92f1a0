// The box office: what is on, and the way to a seat. Pages that most visits do not need are loaded when they are opened.

import { render, type ComponentChild } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { Link, Route, Switch, useLocation } from 'wouter-preact';
import { Frame } from '../common/frame';
import { later } from '../common/later';
import { user } from '../common/session';
import './boxoffice.css';
import { FilmPage } from './film';
import { useTitle } from './title';
import { WhatIsOn } from './what_is_on';

const ScreeningPage = later(async () => {
  // The hall is a file of its own, which can come at the same time.
  const [page] = await Promise.all([import('./screening'), import('../seats/index')]);
  return page.ScreeningPage;
});
const CheckoutPage = later(async () => (await import('./checkout')).CheckoutPage);
const EventPage = later(async () => (await import('./event')).EventPage);
const MyTicketsPage = later(async () => (await import('./my_tickets')).MyTicketsPage);
const AccountPage = later(async () => (await import('./my_account')).AccountPage);
const MovePage = later(async () => {
  const [page] = await Promise.all([import('./move'), import('../seats/index')]);
  return page.MovePage;
});
const account = (): Promise<typeof import('./account')> => import('./account');
const LogInPage = later(async () => (await account()).LogInPage);
const RegisterPage = later(async () => (await account()).RegisterPage);
const ForgotPasswordPage = later(async () => (await account()).ForgotPasswordPage);
const ResetPasswordPage = later(async () => (await account()).ResetPasswordPage);

function NotFound() {
  useTitle('Page not found');
  return (
    <>
      <h1>This page does not exist</h1>
      <p>
        <Link href="/">See what is on</Link>
      </p>
    </>
  );
}

/** A page about a number in its address; an address without one names no page. */
function about(page: (id: number) => ComponentChild): (params: { id: string }) => ComponentChild {
  return ({ id }) => (/^[1-9]\d{0,15}$/.test(id) ? page(Number(id)) : <NotFound />);
}

/** Begin a new page at its top, and tell screen readers by moving the focus. */
function Arrival() {
  const [path] = useLocation();
  const [first] = useState(path);
  useEffect(() => {
    if (path === first) return;
    scrollTo(0, 0);
    document.getElementById('content')?.focus({ preventScroll: true });
  }, [path]);
  return null;
}

function Links() {
  return (
    <>
      <Link href="/my-tickets">My tickets</Link>
      {user.value !== null && (
        <Link href="/account" class={user.value ? '' : 'unseen'}>
          Account
        </Link>
      )}
    </>
  );
}

function BoxOffice() {
  return (
    <Frame home="/" name="Frontrow" links={<Links />}>
      <Arrival />
      <Switch>
        <Route path="/" component={WhatIsOn} />
        <Route path="/films/:id">{about((id) => <FilmPage id={id} />)}</Route>
        <Route path="/screenings/:id">{about((id) => <ScreeningPage id={id} />)}</Route>
        <Route path="/screenings/:id/checkout">{about((id) => <CheckoutPage id={id} />)}</Route>
        <Route path="/events/:id">{about((id) => <EventPage id={id} checkout={false} />)}</Route>
        <Route path="/events/:id/checkout">{about((id) => <EventPage id={id} checkout />)}</Route>
        <Route path="/my-tickets/:id/move">{about((id) => <MovePage id={id} />)}</Route>
        <Route path="/my-tickets">
          <MyTicketsPage />
        </Route>
        <Route path="/account">
          <AccountPage />
        </Route>
        <Route path="/login">
          <LogInPage />
        </Route>
        <Route path="/register">
          <RegisterPage />
        </Route>
        <Route path="/forgot-password">
          <ForgotPasswordPage />
        </Route>
        <Route path="/reset-password">
          <ResetPasswordPage />
        </Route>
        <Route component={NotFound} />
      </Switch>
    </Frame>
  );
}

render(<BoxOffice />, document.getElementById('page')!);
