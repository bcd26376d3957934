'use strict';

// A zerorpc-node server with the service of ../python/service.py, as far as Node can offer it.

const zerorpc = require('zerorpc');

const harness = require('./harness');

const named = (name, message) => Object.assign(new Error(message), { name });

const FAILURES = {
  value: () => named('ValueError', 'bad value'),
  key: () => named('KeyError', "'missing'"),
  custom: () => named('CustomError', 'one of ours'),
  unicode: () => named('ValueError', 'na\u00efve \u2603 \u5931\u6557'),
  empty: () => named('ValueError', ''),
  text: () => 'only a text',
};

const calls = {};
let active = 0;

function streamRange(count, reply) {
  for (let number = 0; number < count; number += 1) reply(null, number, true);
}

// Written with `function` and plain parameters, because zerorpc reads their source to list them.
const service = {
  echo: function (value, reply) { reply(null, value); },
  add: function (a, b, reply) { reply(null, a + b); },
  none: function (reply) { reply(null, null); },
  kind: function (value, reply) { reply(null, value === null ? 'null' : value.constructor.name); },
  blob: function (size, reply) { reply(null, Buffer.alloc(size, 0xa5)); },
  documented: function (a, b, c, reply) { reply(null, [a, b, c]); },
  fail: function (kind, reply) { reply(FAILURES[kind]()); },
  crash: function (reply) { throw new TypeError('thrown, not replied'); },
  numbers: function (count, reply) {
    // The first reply opens the stream without an item, so that an empty one is a stream too.
    reply(null, undefined, true);
    streamRange(count, reply);
    reply();
  },
  slow_numbers: function (count, delay, reply) {
    active += 1;
    let number = 0;
    reply(null, undefined, true);
    const timer = setInterval(() => {
      const more = number < count;
      try {
        if (more) reply(null, number, true);
        else reply();
        number += 1;
      } catch (closed) {
        number = count + 1;
      }
      if (number > count) {
        clearInterval(timer);
        active -= 1;
      }
    }, delay * 1000);
  },
  empty_stream: function (reply) {
    reply(null, undefined, true);
    reply();
  },
  failing_stream: function (count, reply) {
    streamRange(count, reply);
    reply(named('ValueError', 'failed after ' + count));
  },
  sleep: function (seconds, reply) {
    active += 1;
    setTimeout(() => {
      active -= 1;
      reply(null, seconds);
    }, seconds * 1000);
  },
  active: function (reply) { reply(null, active); },
  calls_seen: function (reply) { reply(null, calls); },
};

/** Counts the calls of a method while it keeps the source that introspection shows. */
function counted(name, method) {
  const wrapper = function (...args) {
    calls[name] = (calls[name] || 0) + 1;
    return method.apply(this, args);
  };
  wrapper.toString = () => method.toString();
  return wrapper;
}

function main() {
  const wanted = harness.options();
  for (const [name, method] of Object.entries(service)) service[name] = counted(name, method);
  const server = new zerorpc.Server(service, wanted.heartbeat * 1000);
  server.on('error', (error) => process.stderr.write('server: ' + error + '\n'));
  harness.link(server, wanted);
  harness.listen(() => {});
}

main();
