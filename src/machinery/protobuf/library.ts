import { createRequire } from "node:module";
import type protobuf from "protobufjs/minimal.js";

export type Writer = protobuf.Writer;
export type Reader = protobuf.Reader;

/** Loaded with the first message: most processes never see one, and start-up should not wait for it. */
let library: typeof protobuf | undefined;
const load = createRequire(import.meta.url);
function loaded(): typeof protobuf {
  library ??= load("protobufjs/minimal.js") as typeof protobuf;
  return library;
}

export const newWriter = (): Writer => loaded().Writer.create();
export const newReader = (bytes: Uint8Array): Reader => loaded().Reader.create(bytes);
