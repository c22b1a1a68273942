export { SpdySession } from "./session.ts";
export { SpdyStream } from "./stream.ts";
