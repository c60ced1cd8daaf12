// The reference server of graphql-ws, to try tests/peers/client.mjs with. It prints its URL.

import { createServer } from 'node:http';
import { buildSchema } from 'graphql';
import { useServer } from 'graphql-ws/use/ws';
import { WebSocketServer } from 'ws';

const schema = buildSchema(`
  type Query { hello(name: String = "you"): String!, finished: Int! }
  type Mutation { close(code: Int!): Boolean }
  type Subscription { count(to: Int!, after: String, pause: Int): Int!, never: Int!, broken: Int! }
`);

let finished = 0; // subscriptions to `never` that were ended
let hasClosed = false; // the client sends a mutation again too, once it has connected anew

async function* count({ to, after, pause }) {
  for (let number = Number(after ?? 0) + 1; number <= to; number++) {
    yield { count: number };
    if (number === pause) await new Promise(() => {});
  }
}

// Not a generator: one that waits is not ended by return().
function never() {
  let end;
  const ended = new Promise((resolve) => (end = () => resolve({ done: true })));
  return {
    [Symbol.asyncIterator]: () => ({
      next: () => ended,
      return: async () => (finished++, end(), { done: true }),
    }),
  };
}

const roots = {
  query: { hello: ({ name }) => `Hello, ${name}`, finished: () => finished },
  mutation: {
    close({ code }, { extra }) {
      if (!hasClosed) extra.socket.close(code, 'as asked');
      hasClosed = true;
    },
  },
  subscription: {
    count,
    never,
    broken: () => {
      throw new Error('no source');
    },
  },
};

const http = createServer();
useServer(
  {
    schema,
    roots,
    context: (context) => context,
    onConnect: (context) => (context.connectionParams?.refused ? false : { asked: context.connectionParams ?? null }),
    onNext: (_, __, ___, ____, result) =>
      result.data?.count === undefined ? result : { ...result, extensions: { cursor: String(result.data.count) } },
  },
  new WebSocketServer({ server: http, path: '/graphql' }),
);
http.listen(0, '127.0.0.1', () => console.log(`ws://127.0.0.1:${http.address().port}/graphql`));
process.stdin.on('end', () => process.exit(0)).resume();
