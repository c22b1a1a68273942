import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinSchemas } from "../builtin-schemas.ts";
import { appsDescriptions } from "./apps.ts";
import { containerDescriptions } from "./container.ts";
import { coordinationDescriptions } from "./coordination.ts";
import { coreDescriptions } from "./core.ts";
import { csiDescriptions } from "./csi.ts";
import { describeType } from "./describe.ts";
import { metaDescriptions } from "./meta.ts";
import { nodeDescriptions } from "./node.ts";
import { podDescriptions } from "./pod.ts";
import { policyDescriptions } from "./policy.ts";
import { schedulingDescriptions } from "./scheduling.ts";
import { volumeDescriptions } from "./volumes.ts";

const all = {
  ...metaDescriptions,
  ...coreDescriptions,
  ...podDescriptions,
  ...containerDescriptions,
  ...volumeDescriptions,
  ...schedulingDescriptions,
  ...nodeDescriptions,
  ...appsDescriptions,
  ...coordinationDescriptions,
  ...policyDescriptions,
  ...csiDescriptions,
};

test("every description is of a type and a field that exist", () => {
  for (const [type, text] of Object.entries(all)) {
    const { fields } = builtinSchemas.type(type);
    for (const [, field] of text.matchAll(/^\s*(\w+): /gm)) assert.ok(fields.has(field!), `${type}.${field}`);
  }
});

test("kubectl explain has something to say about every field of a pod's containers", () => {
  for (const field of builtinSchemas.type("core/v1.Container").fields.keys())
    assert.ok(describeType("core/v1.Container", field), field);
  assert.match(describeType("core/v1.Pod")!, /Containers that live together/);
  assert.equal(describeType("core/v1.PodList"), "A list of objects of kind Pod.");
  assert.equal(describeType("resource/v1.Device"), undefined);
});
