'use strict';

// A client of zerorpc-node that obeys the contract: client.js ENDPOINT HEARTBEAT
// It can neither give a stream up nor read one slowly.

const path = require('path');
const readline = require('readline');

const zerorpc = require('zerorpc');

const LOCAL = { TimeoutExpired: 'timeout', HeartbeatError: 'lost' };
const MAKER = path.join(path.dirname(require.resolve('zerorpc')), 'lib', 'util.js');

function decoded(value) {
  if (Array.isArray(value)) return value.map(decoded);
  if (value === null || typeof value !== 'object') return value;
  if (typeof value.$bin === 'string') return Buffer.from(value.$bin, 'hex');
  if (typeof value.$float === 'string') return Number(value.$float.replace('inf', 'Infinity'));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, decoded(item)]));
}

function encoded(value) {
  if (Buffer.isBuffer(value)) return { $bin: value.toString('hex') };
  if (typeof value === 'number' && !Number.isFinite(value)) return { $float: String(value).replace('Infinity', 'inf') };
  if (Array.isArray(value)) return value.map(encoded);
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, encoded(item)]));
}

/** An error of the library itself shows where it was made; one from the peer has the peer's trace. */
const isLocal = (error) => error.name in LOCAL && String(error.stack).includes(MAKER);

const remote = (error) => ({ name: error.name, message: error.message });

const client = new zerorpc.Client({ heartbeatInterval: Number(process.argv[3]) * 1000 });
client.on('error', (error) => process.stderr.write('client: ' + error + '\n'));
client.connect(process.argv[2]);
for (const word of process.argv.slice(4)) {
  const [kind, endpoint] = word.split('=');
  client[kind](endpoint);
}

const say = (id, outcome) => process.stdout.write(JSON.stringify({ id, ...outcome }) + '\n');

function call(order) {
  let items = 0;
  invoke(order, order.call, (error, value, more) => {
    if (error && isLocal(error)) say(order.id, { [LOCAL[error.name]]: true });
    else if (error && error.name === 'ProtocolError') say(order.id, { failed: String(error) });
    else if (error) say(order.id, { error: remote(error) });
    else if (more) items += 1;
    else if (items > 0 || value === undefined) say(order.id, { failed: 'the answer is a stream' });
    else say(order.id, { ok: encoded(value) });
  });
}

function stream(order) {
  const items = [];
  const end = (how) => say(order.id, { items, end: how });
  invoke(order, order.stream, (error, value, more) => {
    if (error) end(isLocal(error) ? LOCAL[error.name] : remote(error));
    else if (more) items.push(encoded(value));
    else if (value === undefined) end('done');
    else end({ name: 'TypeError', message: 'the answer is a value' });
  });
}

function invoke(order, method, update) {
  const options = order.timeout ? { timeout: order.timeout } : {};
  client.invoke(options, method, ...(order.args || []).map(decoded), update);
}

const lines = readline.createInterface({ input: process.stdin });
lines.on('line', (line) => {
  const order = JSON.parse(line);
  if (order.take != null) say(order.id, { unsupported: 'zerorpc-node cannot give a stream up' });
  else if (order.pause) say(order.id, { unsupported: 'zerorpc-node cannot read a stream slowly' });
  else if (order.stream) stream(order);
  else call(order);
});
lines.on('close', () => process.exit(0));
