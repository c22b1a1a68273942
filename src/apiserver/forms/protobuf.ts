import type { Kind } from "../../api/index.ts";
import { type Clock, Turn } from "../../base/index.ts";
import {
  apiVersionOf,
  encodeMessage,
  encodeProtobuf,
  type KubeObject,
  type ObjectSchema,
  protobufEnvelope,
  protobufItemHead,
  protobufListPieces,
  protobufWatchFrame,
  type SchemaRegistry,
} from "../../machinery/index.ts";
import type { Entry } from "../../store/index.ts";
import type { Change } from "../verbs/watch.ts";
import { type Form, type Frame, frameOf } from "./form.ts";
import { listMetadata } from "./json.ts";
import { bookmarkObject, shownObject } from "./shown-object.ts";

const mediaType = "application/vnd.kubernetes.protobuf";
const messageForm = Symbol("protobuf");
const frameForms = {
  ADDED: Symbol("protobuf added"),
  MODIFIED: Symbol("protobuf modified"),
  DELETED: Symbol("protobuf deleted"),
};

/** What Go clients prefer of built-in kinds. */
export function protobufForm(kind: Kind, schemas: SchemaRegistry, clock: Clock): Form {
  const type = schemas.type(kind.schema);
  const apiVersion = apiVersionOf(kind);
  const messageOf = (entry: Entry): Uint8Array =>
    entry.form(messageForm, ({ object }) => Buffer.from(encodeMessage(type, object, schemas)));
  const entryBytes = (entry: Entry) => protobufEnvelope(apiVersion, kind.kind, messageOf(entry));
  const objectBytes = (object: KubeObject) => encodeProtobuf(typeOf(object, type, schemas), object, schemas);
  const event = (change: Change["type"] | "BOOKMARK" | "ERROR", bytes: Uint8Array): Frame =>
    frameOf([protobufWatchFrame(change, bytes)]);
  return {
    mediaType,
    watchMediaType: `${mediaType};stream=watch`,
    entry: entryBytes,
    object: objectBytes,
    list: async (page) => {
      const list = { apiVersion, kind: `${kind.kind}List`, metadata: listMetadata(page) };
      const turn = new Turn(clock);
      const messages: Uint8Array[] = [];
      const heads: Uint8Array[] = [];
      let itemsBytes = 0;
      for (const entry of page.entries) {
        const message = messageOf(entry);
        const head = protobufItemHead(message.length);
        messages.push(message);
        heads.push(head);
        itemsBytes += head.length + message.length;
        if (turn.isOver) await turn.yield();
      }
      const { head, tail } = protobufListPieces(list, itemsBytes, schemas);
      return {
        bytes: head.length + itemsBytes + tail.length,
        head,
        tail,
        item: (index, writer) => {
          writer.write(heads[index]!);
          writer.write(messages[index]!);
        },
      };
    },
    frames: () => ({
      change: (change) =>
        change.left
          ? event(change.type, objectBytes(shownObject(change)))
          : change.entry.form(frameForms[change.type], (entry) => event(change.type, entryBytes(entry))),
      bookmark: (revision, means) => event("BOOKMARK", objectBytes(bookmarkObject(kind, revision, means))),
      error: (status) => event("ERROR", objectBytes(status)),
    }),
  };
}

/** The kind's own type, or that of a Status, a Scale. */
function typeOf(object: KubeObject, type: ObjectSchema, schemas: SchemaRegistry): ObjectSchema {
  if (type.kinds?.some((of) => of.kind === object.kind)) return type;
  const slash = object.apiVersion.indexOf("/");
  const group = slash < 0 ? "" : object.apiVersion.slice(0, slash);
  return (
    schemas.kind(group, object.apiVersion.slice(slash + 1), object.kind) ?? schemas.type("meta/v1.Status")
  );
}
