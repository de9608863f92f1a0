// The operator's page: nothing but a log-in for everybody who is no administrator.

import { render } from 'preact';
import { Link, Route, Switch } from 'wouter-preact';
import { Frame } from '../common/frame';
import { later } from '../common/later';
import { user } from '../common/session';

const OverviewPage = later(async () => (await import('./overview')).OverviewPage);
const ScreeningPage = later(async () => (await import('./screening')).ScreeningPage);
const CheckInPage = later(async () => (await import('./check_in')).CheckInPage);
const DeliveriesPage = later(async () => (await import('./deliveries')).DeliveriesPage);
const RefundsPage = later(async () => (await import('./refunds')).RefundsPage);
const WebhooksPage = later(async () => (await import('./webhooks')).WebhooksPage);
const RoomsPage = later(async () => (await import('../editor/rooms_page')).RoomsPage);
const RoomPage = later(async () => (await import('../editor/room_page')).RoomPage);

function Operations() {
  const known = user.value;
  return (
    <Frame home="/ops" name="Frontrow operations" links={known?.is_admin ? <Links /> : null}>
      {known === undefined ? <h1>Operations</h1> : known === null ? <LogInFirst /> : known.is_admin ? <Pages /> : <NotForYou />}
    </Frame>
  );
}

function Links() {
  return (
    <>
      <Link href="/ops/check-in">Check-in</Link>
      <Link href="/ops/deliveries">Deliveries</Link>
      <Link href="/ops/refunds">Refunds</Link>
      <Link href="/ops/webhooks">Webhooks</Link>
      <Link href="/ops/rooms">Rooms</Link>
    </>
  );
}

function Pages() {
  return (
    <Switch>
      <Route path="/ops/check-in">
        <CheckInPage id={null} />
      </Route>
      <Route path="/ops/check-in/:id">{({ id }) => <CheckInPage key={id} id={Number(id)} />}</Route>
      <Route path="/ops/deliveries">
        <DeliveriesPage />
      </Route>
      <Route path="/ops/refunds">
        <RefundsPage />
      </Route>
      <Route path="/ops/webhooks">
        <WebhooksPage />
      </Route>
      <Route path="/ops/rooms">
        <RoomsPage />
      </Route>
      <Route path="/ops/rooms/:id">{({ id }) => <RoomPage roomId={Number(id)} />}</Route>
      <Route path="/ops/screenings/:id">{({ id }) => <ScreeningPage key={id} id={Number(id)} />}</Route>
      <Route>
        <OverviewPage />
      </Route>
    </Switch>
  );
}

function LogInFirst() {
  return (
    <>
      <h1>Log in first</h1>
      <p>This page is for administrators.</p>
      <p>
        <a href="login?next=/ops">Log in</a>
      </p>
    </>
  );
}

function NotForYou() {
  return (
    <>
      <h1>For administrators</h1>
      <p>Your account is not an administrator’s. Log out, and log in as one.</p>
    </>
  );
}

render(<Operations />, document.getElementById('page')!);
