'use strict';

// zerorpc-node as a subject of the comparison; keeps to the contract of src/contract.rs.
//
//     bench.js server HOST:PORT
//     bench.js client HOST:PORT MODE SECS

const zerorpc = require('zerorpc');

// Shorter streams than others have: a Node server sends whatever it has at once, and what is more than 1000 messages for one
// peer its socket drops. Of 1000 items the end is often lost, and its client gives up after ten seconds.
const STREAM = 500;
const WARM_UP = [100, 0.1];

const say = (line) => process.stdout.write(line + '\n');
const now = () => Number(process.hrtime.bigint()) / 1e9;

const service = {
  echo: function (v, reply) { reply(null, v); },
  numbers: function (n, reply) {
    for (let number = 0; number < n; number += 1) reply(null, number, true);
    reply();
  },
};

/** Repeats an operation, which is worth `weight` counted things; resolves to how long each took. */
async function repeat(secs, weight, operation) {
  const begun = now();
  for (let round = 0; round < WARM_UP[0] && now() - begun <= WARM_UP[1]; round += 1) await operation();
  const times = [];
  const start = now();
  let before = start;
  while (before - start < secs || times.length === 0) {
    await operation();
    const after = now();
    times.push((after - before) / weight);
    before = after;
  }
  return { times, weight, lasted: before - start };
}

function report({ times, weight, lasted }) {
  times.sort((a, b) => a - b);
  const quantile = (share) => times[Math.max(Math.ceil(times.length * share), 1) - 1] * 1e6;
  return { n: times.length * weight, secs: lasted, p50_us: quantile(0.5), p99_us: quantile(0.99) };
}

function call(client, value, good) {
  return new Promise((resolve, reject) => {
    client.invoke('echo', value, (error, answer) => {
      if (error) reject(error);
      else if (!good(answer)) reject(new Error('something else came back'));
      else resolve();
    });
  });
}

function stream(client) {
  return new Promise((resolve, reject) => {
    let items = 0;
    client.invoke('numbers', STREAM, (error, item, more) => {
      if (error) reject(error);
      else if (more && item !== items) reject(new Error(`item ${items} is missing or out of order`));
      else if (more) items += 1;
      else if (items === STREAM) resolve();
      else reject(new Error(`a stream ended after ${items} items`));
    });
  });
}

/** So many chains of calls, each making one after the other. */
async function pipe(client, count, secs) {
  const small = () => call(client, 7, (answer) => answer === 7);
  const parts = await Promise.all(Array.from({ length: count }, () => repeat(secs, 1, small)));
  return {
    times: parts.flatMap(({ times }) => times),
    weight: 1,
    lasted: Math.max(...parts.map(({ lasted }) => lasted)),
  };
}

function measure(client, mode, secs) {
  const [name, number] = mode.split(':');
  const payload = name === 'big' ? Buffer.alloc(Number(number), 7) : null;
  switch (name) {
    case 'seq': return repeat(secs, 1, () => call(client, 7, (answer) => answer === 7));
    case 'pipe': return pipe(client, Number(number), secs);
    case 'stream': return repeat(secs, STREAM, () => stream(client));
    case 'big': return repeat(secs, 1, () => call(client, payload, (answer) => answer.length === payload.length));
    default: throw new Error('this subject cannot measure ' + mode);
  }
}

async function main([role, address, mode, secs]) {
  const fail = (error) => {
    process.stderr.write(`${role}: ${error}\n`);
    process.exit(1);
  };
  if (role === 'server') {
    const server = new zerorpc.Server(service);
    server.on('error', (error) => process.stderr.write(`server: ${error}\n`));
    server.bind('tcp://' + address);
    say('ready');
    return;
  }
  const client = new zerorpc.Client();
  client.on('error', fail);
  client.connect('tcp://' + address);
  const result = await measure(client, mode, Number(secs)).catch(fail);
  process.stdout.write(JSON.stringify(report(result)) + '\n', () => process.exit(0));
}

main(process.argv.slice(2));
