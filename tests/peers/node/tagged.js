'use strict';

// JSON that can hold what msgpack-lite can: the same tags as in ../python/tagged.py. It keeps the
// extension types 1 to 18 for JavaScript's own classes, so tests use others.

const { Int64BE, Uint64BE } = require('int64-buffer');
const { ExtBuffer } = require('msgpack-lite/lib/ext-buffer');

const FLOATS = { nan: NaN, inf: Infinity, '-inf': -Infinity };

function encodeNumber(value) {
  if (Number.isNaN(value)) return { $float: 'nan' };
  if (!Number.isFinite(value)) return { $float: value > 0 ? 'inf' : '-inf' };
  if (Object.is(value, -0)) return { $float: '-0.0' };
  return value;
}

function encodeMap(value) {
  const entries = Object.entries(value);
  if (entries.some(([key]) => key.startsWith('$'))) {
    return { $map: entries.map(([key, item]) => [key, encode(item)]) };
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, encode(item)]));
}

/** The tagged JSON of a value that came from a peer. */
function encode(value) {
  if (value === undefined || value === null) return null;
  if (typeof value === 'number') return encodeNumber(value);
  if (typeof value !== 'object') return value;
  if (Buffer.isBuffer(value)) return { $bin: value.toString('hex') };
  if (value instanceof ExtBuffer) return { $ext: [value.type, value.buffer.toString('hex')] };
  if (Array.isArray(value)) return value.map(encode);
  return encodeMap(value);
}

const READERS = {
  $bin: (hex) => Buffer.from(hex, 'hex'),
  $float: (text) => (text in FLOATS ? FLOATS[text] : Number(text)),
  $int: (text) => (text.startsWith('-') ? new Int64BE(text) : new Uint64BE(text)),
  $ext: ([code, hex]) => new ExtBuffer(Buffer.from(hex, 'hex'), code),
  $map: (pairs) => Object.fromEntries(pairs.map(([key, item]) => [decode(key), decode(item)])),
};

/** The value that a piece of tagged JSON stands for. */
function decode(value) {
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map(decode);
  const entries = Object.entries(value);
  if (entries.length === 1 && Object.hasOwn(READERS, entries[0][0])) {
    const [[tag, content]] = entries;
    return READERS[tag](content);
  }
  return Object.fromEntries(entries.map(([key, item]) => [key, decode(item)]));
}

module.exports = { encode, decode };
