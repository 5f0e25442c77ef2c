// Plays system A's console: npm's socket.io-client, driven by lines of JSON.
//
//   node client.mjs <folder with node_modules>
//
// In (one JSON a line):
//   {"do":"connect","name":"desk","url":"http://127.0.0.1:3000","token":"…","transports":["websocket"],"resume":true,
//    "cursor":3,"header":"Bearer …"}
//   {"do":"emit","name":"desk","event":"getUnreadCount"}
//   {"do":"break","name":"desk"}   the connection breaks, as by a network that is gone
//   {"do":"close","name":"desk"}
// Out: {"name":"desk","event":"notification","data":{…}} for everything the client sees: its own `connect`,
// `disconnect` and `connect_error`, and every event of the server. A client that may choose its transport says
// {"name":"desk, upgraded","event":"upgraded",…} once it has gone over to a WebSocket.
//
// With "resume" the client brings the `seq` of the last notification it has whenever it comes back.

import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const { io } = createRequire(`${process.argv[2]}/`)("socket.io-client");
const sockets = new Map();

function say(name, event, data) {
  process.stdout.write(`${JSON.stringify({ name, event, data: data ?? null })}\n`);
}

function connect({ name, url, token, transports, resume, cursor, header }) {
  let last = cursor;
  const socket = io(`${url}/notifications`, {
    transports,
    forceNew: true,
    reconnectionDelay: 20,
    reconnectionDelayMax: 100,
    extraHeaders: header ? { authorization: header } : undefined,
    auth: (answer) => answer({ ...(token ? { token } : {}), ...(last === undefined ? {} : { cursor: last }) }),
  });
  socket.on("connect", () => {
    const { engine } = socket.io;
    say(name, "connect", { transport: engine.transport.name });
    const upgraded = () => say(`${name}, upgraded`, "upgraded", engine.transport.name);
    if (transports.length > 1) engine.transport.name === "websocket" ? upgraded() : engine.once("upgrade", upgraded);
  });
  socket.on("disconnect", (reason) => say(name, "disconnect", reason));
  socket.on("connect_error", (error) => say(name, "connect_error", error.message));
  socket.onAny((event, ...rest) => {
    if (resume && event === "notification") last = rest[0].seq;
    if (resume && event === "completeUpto") last = rest[0].seq;
    say(name, event, rest.length > 1 ? rest : rest[0]);
  });
  sockets.set(name, socket);
}

const actions = {
  connect,
  emit: ({ name, event }) => sockets.get(name).emit(event),
  break: ({ name }) => sockets.get(name).io.engine.close(),
  close: ({ name }) => sockets.get(name).close(),
};

const lines = createInterface({ input: process.stdin });
lines.on("line", (line) => {
  const command = JSON.parse(line);
  actions[command.do](command);
});
// Whoever started us is gone, or has seen enough.
lines.on("close", () => process.exit(0));
