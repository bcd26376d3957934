'use strict';

// What the peer programs share; they are driven exactly like those in ../python/harness.py.

const readline = require('readline');

const options = () => JSON.parse(process.argv[2]);

const say = (line) => process.stdout.write(line + '\n');

/** Makes the binds and connects of `wanted` and tells the test which endpoints are really bound. */
function link(peer, wanted) {
  const endpoints = wanted.bind.map((endpoint) => {
    peer.bind(endpoint);
    return peer._socket._zmqSocket._socket.lastEndpoint;
  });
  wanted.connect.forEach((endpoint) => peer.connect(endpoint));
  say('ready ' + JSON.stringify({ endpoints }));
}

/** Calls `obey` for every line of standard input, and ends the process with it. */
function listen(obey) {
  const lines = readline.createInterface({ input: process.stdin });
  lines.on('line', obey);
  lines.on('close', () => process.exit(0));
}

module.exports = { options, say, link, listen };
