// The operator's page: nothing but a log-in for everybody who is no administrator.

import { render } from 'preact';
import { Frame } from '../common/frame';
import { user } from '../common/session';

function Operations() {
  return (
    <Frame home="/ops" name="Frontrow operations" links={null}>
      {user.value === undefined ? null : user.value?.is_admin ? <h1>Operations</h1> : <LogInFirst />}
    </Frame>
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
