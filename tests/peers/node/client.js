'use strict';

// A zerorpc-node client that obeys the test, with the commands of ../python/client.py that Node can
// carry out: it has no way to close a stream, to add headers or to change the window.

const path = require('path');

const zerorpc = require('zerorpc');

const harness = require('./harness');
const tagged = require('./tagged');

const LOCAL_ERRORS = ['TimeoutExpired', 'HeartbeatError', 'ProtocolError'];
const LOCAL_MAKER = path.join(path.dirname(require.resolve('zerorpc')), 'lib', 'util.js');

/** An error of the library itself shows where it was made; one from the peer has the peer's trace. */
function describe(error) {
  const remote = !LOCAL_ERRORS.includes(error.name) || !String(error.stack).includes(LOCAL_MAKER);
  return {
    type: remote ? 'RemoteError' : error.name,
    name: remote ? error.name : null,
    message: error.message,
    traceback: remote ? error.stack : null,
  };
}

function mismatch(method, shape) {
  const message = `${method} answered with ${shape}`;
  return { type: 'TypeError', name: null, message, traceback: null };
}

/** Stops the whole process for a while: the only way in which a Node consumer can be slow. */
function stall(seconds) {
  if (seconds > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, seconds * 1000);
}

class Caller {
  constructor(wanted) {
    this.timeout = wanted.timeout;
    this.socket = new zerorpc.Client({
      timeout: wanted.timeout,
      heartbeatInterval: wanted.heartbeat * 1000,
    });
    this.socket.on('error', (error) => process.stderr.write('client: ' + error + '\n'));
  }

  invoke({ method, args, timeout, ...other }, update) {
    const beyond = ['headers', 'slots', 'limit'].find((option) => other[option] != null);
    if (beyond) throw new Error('zerorpc-node has no such option: ' + beyond);
    const options = { timeout: timeout || this.timeout };
    this.socket.invoke(options, method, ...args.map(tagged.decode), update);
  }

  call(request, answer) {
    let items = 0;
    this.invoke(request, (error, value, more) => {
      if (error) answer({ error: describe(error) });
      else if (more) items += 1;
      else if (items > 0 || value === undefined) answer({ error: mismatch(request.method, 'a stream') });
      else answer({ ok: tagged.encode(value) });
    });
  }

  stream(request, answer) {
    const items = [];
    const end = (error) => answer({ ok: { items, error } });
    this.invoke(request, (error, value, more) => {
      if (error) end(describe(error));
      else if (more) {
        items.push(tagged.encode(value));
        if (items.length % request.every === 0) stall(request.delay);
      } else end(value === undefined ? null : mismatch(request.method, 'a plain value'));
    });
  }

  many({ method, calls }, answer) {
    const answers = calls.map((args) => new Promise((resolve) => this.call({ method, args }, resolve)));
    Promise.all(answers).then((ok) => answer({ ok }));
  }
}

function main() {
  const wanted = harness.options();
  const caller = new Caller(wanted);
  harness.link(caller.socket, wanted);
  harness.listen((line) => {
    const { id, do: command, ...request } = JSON.parse(line);
    caller[command](request, (answer) => harness.say(JSON.stringify({ id, ...answer })));
  });
}

main();
