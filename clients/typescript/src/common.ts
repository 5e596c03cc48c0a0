/** What every entry of the package exports. */
export { HubError, isRepeatable, type ClientCode, type Code } from "./errors.js";
export { HubSocket, type AskOptions, type ConnectOptions } from "./socket/hub-socket.js";
export type { LinkState } from "./socket/link.js";
export type { Ack, Heard, Payload, WriteName } from "./socket/words.js";
export type { WriteOptions } from "./socket/writer.js";
export type { TokenOptions, TokenReason } from "./tokens.js";
