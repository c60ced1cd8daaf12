// PostGraphile on Node's own HTTP server, in its default preset; lists without connections are its "simple collections".
// PORT, and PGHOST, PGUSER and PGDATABASE say where it listens and where PostgreSQL is.
import { createServer } from "node:http";
import { postgraphile } from "postgraphile";
import { grafserv } from "postgraphile/grafserv/node";
import { PostGraphileAmberPreset } from "postgraphile/presets/amber";
import { makePgService } from "postgraphile/adaptors/pg";

const pgl = postgraphile({
  extends: [PostGraphileAmberPreset],
  pgServices: [makePgService({ poolConfig: { max: 10 }, schemas: ["public"] })],
  schema: { defaultBehavior: "+list -connection" },
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
  grafast: { explain: false },
});
const server = createServer();
await pgl.createServ(grafserv).addTo(server);
server.listen(Number(process.env.PORT), "127.0.0.1");
