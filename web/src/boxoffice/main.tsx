// The box office: what is on, and the way to a seat.

import { render } from 'preact';
import { Route, Switch } from 'wouter-preact';
import { Frame } from '../common/frame';
import { WhatIsOn } from './what_is_on';

function BoxOffice() {
  return (
    <Frame home="/" name="Frontrow" links={null}>
      <Switch>
        <Route path="/" component={WhatIsOn} />
        <Route>
          <h1>This page does not exist</h1>
          <p>
            <a href="./">See what is on</a>
          </p>
        </Route>
      </Switch>
    </Frame>
  );
}

render(<BoxOffice />, document.getElementById('page')!);
