// Says which clients are installed.
import { createRequire } from "node:module";
import "socket.io-client";
import "socket.io-msgpack-parser";

const require = createRequire(import.meta.url);
console.log("socket.io-client", require("socket.io-client/package.json").version);
console.log("socket.io-msgpack-parser", require("socket.io-msgpack-parser/package.json").version);
