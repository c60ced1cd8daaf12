// Drives the client of npm's graphql-ws by lines of JSON, for tests/peers/graphql_ws.py.
//
//   node client.mjs '{"url": "ws://...", "connectionParams": {}, "lazy": false, "keepAlive": 0, "retryAttempts": 0, "retryWait": 50}'
//
// Times are in milliseconds. In, one object a line, told apart by `do`:
//   subscribe    name, payload (query, variables, ...), cursor: the variable that carries the last `extensions.cursor`
//                when the client subscribes again after a lost connection
//   unsubscribe  name
//   drop         end the TCP connection without a close, as a lost network does
//   dispose      close the connection for good
// The end of the input disposes too, and ends the program. Out, told apart by `event`:
//   next, error, complete   of one operation, by name; `failed` is the end of its connection (code and reason, or message)
//   connecting, connected, closed, ping, pong   of the connection

import { createInterface } from 'node:readline';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const { url, retryWait = 50, ...options } = JSON.parse(process.argv[2]);
const operations = new Map();
let socket; // while it is connected
let leaving = false;

const say = (event, values) => process.stdout.write(JSON.stringify({ event, ...values }) + '\n');

const client = createClient({
  retryAttempts: 0,
  lazy: false,
  ...options,
  url,
  webSocketImpl: WebSocket,
  retryWait: () => new Promise((resolve) => setTimeout(resolve, retryWait)),
  shouldRetry: () => true, // a refused connection too: the server may be starting
  onNonLazyError: () => {}, // `closed` tells
  on: {
    connecting: (retry) => say('connecting', { retry }),
    connected(connected, payload, retry) {
      socket = connected;
      say('connected', { payload, retry });
    },
    closed({ code, reason, wasClean }) {
      socket = undefined;
      say('closed', { code, reason, clean: wasClean });
      if (leaving) process.exit(0);
    },
    ping: (received, payload) => say('ping', { received, payload }),
    pong: (received, payload) => say('pong', { received, payload }),
  },
});

function subscribe({ name, payload, cursor }) {
  // The client serialises `payload` anew for every connection.
  const dispose = client.subscribe(payload, {
    next(result) {
      const last = result.extensions?.cursor;
      if (cursor && last !== undefined) payload.variables = { ...payload.variables, [cursor]: last };
      say('next', { name, result });
    },
    error(error) {
      operations.delete(name);
      if (Array.isArray(error)) say('error', { name, errors: error });
      else say('failed', { name, code: error.code, reason: error.reason, message: error.message });
    },
    complete() {
      operations.delete(name);
      say('complete', { name });
    },
  });
  operations.set(name, dispose);
}

const actions = {
  subscribe,
  unsubscribe: ({ name }) => operations.get(name)?.(),
  drop: () => socket?.terminate(),
  dispose: () => socket && client.dispose(),
};

const input = createInterface({ input: process.stdin });
input.on('line', (line) => {
  const { do: action, ...values } = JSON.parse(line);
  actions[action](values);
});
input.on('close', () => {
  leaving = true;
  if (socket) client.dispose();
  else process.exit(0);
});
