import { stringify } from "yaml";
import type { Kind } from "../../api/index.ts";
import { apiVersionOf } from "../../machinery/index.ts";
import type { Form } from "./form.ts";
import { jsonForm, listMetadata } from "./json.ts";

const mediaType = "application/yaml";

/** YAML for people; made each time it is asked for, and not for watches. */
export function yamlForm(kind: Kind): Form {
  return {
    ...jsonForm(kind),
    mediaType,
    entry: (entry) => yaml(entry.object),
    object: yaml,
    list: (page) => {
      const { entries } = page;
      const list = { apiVersion: apiVersionOf(kind), kind: `${kind.kind}List`, metadata: listMetadata(page) };
      const empty = entries.length === 0 ? "items: []\n" : "items:\n";
      return {
        head: Buffer.concat([yaml(list), Buffer.from(empty)]),
        tail: Buffer.alloc(0),
        // A list of one is that item of a longer list.
        item: (index, writer) => writer.write(yaml([entries[index]!.object])),
      };
    },
  };
}

const yaml = (value: unknown) => Buffer.from(stringify(value, { version: "1.1", lineWidth: 0 }));
