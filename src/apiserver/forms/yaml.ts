import { stringify } from "yaml";
import type { Form } from "./form.ts";

const mediaType = "application/yaml";

/** YAML for people; made of the JSON form each time, and not for watches. */
export function yamlForm(json: Form): Form {
  const yaml = (value: unknown) => Buffer.from(stringify(value, { version: "1.1", lineWidth: 0 }));
  return {
    ...json,
    mediaType,
    entry: (entry) => yaml(entry.object),
    object: yaml,
    list: (page) => {
      const head = json.list(page);
      const text = `${head.head}]}`;
      const list = { ...JSON.parse(text), items: page.entries.map((entry) => entry.object) };
      const body = yaml(list);
      return { bytes: body.length, head: body, tail: Buffer.alloc(0), item: () => {} };
    },
  };
}
