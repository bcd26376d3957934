'use strict';

// A server of zerorpc-node with the service of the contract: server.js ENDPOINT HEARTBEAT
// It has no `forever`, since it sends whatever the reader has not asked for into a queue without bounds.

const zerorpc = require('zerorpc');

const named = (name, message) => Object.assign(new Error(message), { name });

let recorded = [];

function range(n, reply) {
  // The first reply opens the stream without an item, so that an empty one is a stream too.
  reply(null, undefined, true);
  for (let number = 0; number < n; number += 1) reply(null, number, true);
}

// Written with `function` and plain parameters, because zerorpc reads their source to list them.
const service = {
  echo: function (x, reply) { reply(null, x); },
  add: function (a, b, reply) { reply(null, a + b); },
  count: function (n, reply) {
    range(n, reply);
    reply();
  },
  fail: function (message, reply) { reply(named('ValueError', message)); },
  fail_after: function (n, message, reply) {
    range(n, reply);
    reply(named('ValueError', message));
  },
  sleep: function (seconds, reply) { setTimeout(() => reply(null, seconds), seconds * 1000); },
  burn: function (seconds, reply) {
    const end = Date.now() + seconds * 1000;
    while (Date.now() < end);
    reply(null, seconds);
  },
  blob: function (n, reply) { reply(null, Buffer.alloc(n)); },
  record: function (x, reply) {
    recorded.push(x);
    reply(null, null);
  },
  recorded: function (reply) {
    reply(null, recorded);
    recorded = [];
  },
};

const server = new zerorpc.Server(service, Number(process.argv[3]) * 1000);
server.on('error', (error) => process.stderr.write('server: ' + error + '\n'));
server[process.argv.includes('--worker') ? 'connect' : 'bind'](process.argv[2]);
for (const word of process.argv.slice(4)) {
  const [kind, endpoint] = word.split('=');
  if (endpoint) server[kind](endpoint);
}
