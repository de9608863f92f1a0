// The operator's page: nothing but a log-in for everybody who is no administrator.

import { render } from 'preact';
import { Link, Route, Switch } from 'wouter-preact';
import { Frame } from '../common/frame';
import { later } from '../common/later';
import { user } from '../common/session';

const RoomsPage = later(async () => (await import('../editor/rooms_page')).RoomsPage);
const RoomPage = later(async () => (await import('../editor/room_page')).RoomPage);

function Operations() {
  return (
    <Frame home="/ops" name="Frontrow operations" links={user.value?.is_admin ? <Links /> : null}>
      {user.value === undefined ? null : user.value?.is_admin ? <Pages /> : <LogInFirst />}
    </Frame>
  );
}

function Links() {
  return <Link href="/ops/rooms">Rooms</Link>;
}

function Pages() {
  return (
    <Switch>
      <Route path="/ops/rooms">
        <RoomsPage />
      </Route>
      <Route path="/ops/rooms/:id">{({ id }) => <RoomPage roomId={Number(id)} />}</Route>
      <Route>
        <h1>Operations</h1>
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

render(<Operations />, document.getElementById('page')!);
